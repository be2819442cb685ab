import Config
import JSON

/// The silences of a file, in the form of the API's list.
package enum SilenceFile {
    /// The reason why a text has no silences, in amtool's words.
    package struct Failure: Error, CustomStringConvertible {
        package var description: String

        init(_ reason: String) { description = "couldn't unmarshal input data, is it JSON?: " + reason }
    }

    /// - Parameter name: The name of the file in errors.
    package static func read(_ bytes: [UInt8], name: String) throws(Failure) -> [PostedSilence] {
        var silences: [PostedSilence] = []
        do {
            var json = JSONReader(bytes)
            try json.array { reader in
                var start = reader
                let value = try reader.value()
                do throws(AlertDataError) {
                    silences.append(try PostedSilence(imported: value))
                } catch {
                    throw start.failure("\(silences.count).\(error)")
                }
            }
            try json.end()
        } catch {
            throw Failure("\(name):\(error)")
        }
        return silences
    }
}

extension AlertServer {
    /// Adds or changes the silence of a file; one whose id the server does not know is added as a new one.
    package func importing(_ silence: PostedSilence) throws -> String {
        do {
            return try post(silence)
        } catch let error as AlertServerError where error.status == 404 && !silence.id.isEmpty {
            return try post(silence.withoutID)
        }
    }
}
