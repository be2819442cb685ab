import Encoding
import Platform

/// The error that a block does not have the form of its format, or cannot be written.
package struct BlockError: Error, CustomStringConvertible {
    /// The file, as it was opened.
    package var file: String
    /// The section or frame, for example `frame 12`.
    package var section: String
    /// The offset in the file; for compressed parts, the start of the frame.
    package var offset: Int
    package var reason: String

    package init(file: String, section: String, offset: Int, reason: String) {
        self.file = file
        self.section = section
        self.offset = offset
        self.reason = reason
    }

    package var description: String { "\(file): \(section) at offset \(offset): \(reason)" }
}
