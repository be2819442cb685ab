import Glibc

/// Where the suites that are shared between checkouts lie: beside the project's root.
public enum SharedFolder {
    /// The project's root, from the place of this file.
    public static var projectRoot: String {
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    }

    /// The path of `name` in the shared folder.
    public static func path(_ name: String) -> String { projectRoot + "/../shared/" + name }

    /// Whether a suite is there; a test that needs it is skipped with the reason "needs ../shared/NAME" if it is not.
    public static func has(_ suite: String) -> Bool { access(path(suite), R_OK) == 0 }
}
