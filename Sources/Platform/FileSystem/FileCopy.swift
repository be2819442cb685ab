extension File {
    /// Appends the content of this file to `copy`, which is empty.
    ///
    /// If it throws, `copy` has a part of the content.
    ///
    /// - Parameter holes: Ranges that read as zeros, ascending; they take no space in the copy either.
    package func copy(to copy: any File, keeping holes: [Range<Int>] = []) throws(FileError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { buffer.deallocate() }
        var done = 0
        for hole in holes where hole.lowerBound >= done {
            guard try append(done..<hole.lowerBound, to: copy, buffer) else { return }
            try copy.truncate(to: hole.upperBound)
            done = hole.upperBound
        }
        _ = try append(done..<Int.max, to: copy, buffer)
    }

    /// Appends a range of this file to `copy`; returns false if the file ends in it.
    private func append(
        _ range: Range<Int>, to copy: any File, _ buffer: UnsafeMutableRawBufferPointer
    ) throws(FileError) -> Bool {
        var done = range.lowerBound
        while done < range.upperBound {
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(range.upperBound &- done))
            let count = try read(at: done, into: part)
            if count > 0 { try copy.write(UnsafeRawBufferPointer(rebasing: part[..<count])) }
            if count < part.count { return false }
            done &+= count
        }
        return true
    }
}
