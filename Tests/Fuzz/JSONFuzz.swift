// Properties of the JSON reader and writer, for any bytes:
// - an error has its place within the text and a message;
// - what was read is written, compactly or prettily, so that it reads back equal, and is then written the same;
// - Java's text of a double is the same number.
import JSON

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzJSON(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let input = bytes(data, size)
    let value: JSONValue
    do {
        value = try JSONValue(parsing: input)
    } catch {
        require((0...size).contains(error.offset), "the error's place is in the text: \(error)")
        require(!error.message.isEmpty, "an error says what is wrong")
        return 0
    }
    let compact = value.serialized()
    check(compact, reads: value)
    check(value.serialized(pretty: true), reads: value)
    require(read(compact)?.serialized() == compact, "what was read back is written the same")
    checkNumbers(in: value)
    return 0
}

/// Nil for what is refused; the caller names the property that this breaks.
private func read(_ text: [UInt8]) -> JSONValue? { try? JSONValue(parsing: text) }

private func check(_ text: [UInt8], reads value: JSONValue) {
    require(read(text) == value, "\(String(decoding: text, as: UTF8.self)) reads back as what was written")
}

private func checkNumbers(in value: JSONValue) {
    switch value {
    case .number(let number):
        require(number.isFinite, "no infinity is read")
        require(Double(JSONWriter.javaDouble(number)) == number, "\(JSONWriter.javaDouble(number)) is \(number)")
    case .array(let elements):
        for element in elements { checkNumbers(in: element) }
    case .object(let members):
        for (name, member) in members {
            require(value[name] == member, "each member is found by its name")
            checkNumbers(in: member)
        }
    case .null, .bool, .integer, .string: break
    }
}
