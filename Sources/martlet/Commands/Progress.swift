import Glibc

/// A progress bar on the terminal; not shown if standard error is not a terminal.
enum Progress {
    private static let width = 40

    static func show(_ name: String, _ share: Double) {
        guard isatty(2) != 0 else { return }
        let full = Int((max(0, min(1, share)) * Double(width)).rounded())
        let bar = String(repeating: "█", count: full) + String(repeating: "░", count: width - full)
        var line = "\r\(name) \(bar) \(Int(share * 100)) %"
        line.withUTF8 { _ = write(2, $0.baseAddress, $0.count) }
    }

    static func end() {
        guard isatty(2) != 0 else { return }
        var line = "\r\u{1B}[K"
        line.withUTF8 { _ = write(2, $0.baseAddress, $0.count) }
    }
}
