import Encoding
import Platform

/// A block that cannot be read as its format says, or not be written.
package struct BlockError: Error, CustomStringConvertible {
    /// The file, as it was opened.
    package var file: String
    /// The section or frame, for instance `frame 12`.
    package var section: String
    /// Where in the file; for compressed parts the beginning of the frame.
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
