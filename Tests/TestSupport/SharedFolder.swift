/// Where the suites that are shared between checkouts lie: beside the project's root.
public enum SharedFolder {
    /// The project's root, from the place of this file.
    public static var projectRoot: String {
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    }

    /// The path of `name` in the shared folder; tests say "skipped" if nothing is there.
    public static func path(_ name: String) -> String { projectRoot + "/../shared/" + name }
}
