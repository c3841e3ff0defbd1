// What both fuzz targets share: a broken property ends the process with a message, so that libFuzzer keeps the input.
import Glibc

func require(_ condition: Bool, _ property: @autoclosure () -> String) {
    guard !condition else { return }
    let message = Array("property broken: \(property())\n".utf8)
    write(STDERR_FILENO, message, message.count)
    abort()
}

func bytes(_ data: UnsafePointer<UInt8>?, _ size: Int) -> [UInt8] {
    Array(UnsafeBufferPointer(start: data, count: size))
}
