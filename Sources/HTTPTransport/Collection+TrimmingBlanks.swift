extension Collection<UInt8> where SubSequence: BidirectionalCollection, SubSequence.SubSequence == SubSequence {
    /// Without the blanks, tabs and line ends at both ends.
    var trimmingBlanks: SubSequence {
        let isBlank: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d || $0 == 0x0a }
        var rest = drop(while: isBlank)
        while let last = rest.last, isBlank(last) { rest = rest.dropLast() }
        return rest
    }
}
