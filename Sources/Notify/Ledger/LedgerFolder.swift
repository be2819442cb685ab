import Platform

/// The directory of a notifier's ledger.
package struct LedgerFolder: Sendable {
    package var path: String
    package var fileSystem: any FileSystem

    package init(path: String, fileSystem: any FileSystem) {
        self.path = path
        self.fileSystem = fileSystem
    }
}
