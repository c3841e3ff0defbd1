import CCurl
import Glibc
import Runtime

// The C functions that libcurl calls, on the loop's thread, inside curl_multi_socket_action. They record and return:
// none of them may call libcurl, nor run anybody else's code but `permitsAddress`.

/// Options of one easy handle, by type of argument.
struct CurlSetting {
    let handle: UnsafeMutableRawPointer

    func set(_ option: CURLoption, _ value: Int) {
        carillon_curl_set_long(handle, option, value)
    }

    func setOffset(_ option: CURLoption, _ value: Int) {
        carillon_curl_set_offset(handle, option, curl_off_t(value))
    }

    /// libcurl copies the text.
    func set(_ option: CURLoption, _ value: String) {
        carillon_curl_set_string(handle, option, value)
    }

    /// Not even libcurl's default.
    func clear(_ option: CURLoption) {
        carillon_curl_clear_string(handle, option)
    }

    /// libcurl copies the bytes.
    func set(_ option: CURLoption, _ bytes: [UInt8]) {
        carillon_curl_set_blob(handle, option, bytes, bytes.count)
    }

    func set(_ option: CURLoption, _ value: UnsafeMutableRawPointer) {
        carillon_curl_set_pointer(handle, option, value)
    }

    func set(_ option: CURLoption, _ callback: carillon_curl_data_callback) {
        carillon_curl_set_data_callback(handle, option, callback)
    }
}

private func transfer(_ context: UnsafeMutableRawPointer?) -> CurlTransfer? {
    context.map { Unmanaged<CurlTransfer>.fromOpaque($0).takeUnretainedValue() }
}

let curlHeaderLine: carillon_curl_data_callback = { bytes, size, count, context in
    guard let transfer = transfer(context) else { return 0 }
    return transfer.receiveHeader(UnsafeRawBufferPointer(start: bytes, count: size * count)) ? size * count : 0
}

let curlBodyBytes: carillon_curl_data_callback = { bytes, size, count, context in
    guard let transfer = transfer(context) else { return 0 }
    switch transfer.receiveBody(UnsafeRawBufferPointer(start: bytes, count: size * count)) {
    case .taken: return size * count
    case .refused: return 0
    // CURL_WRITEFUNC_PAUSE: libcurl keeps the bytes and stops reading until it is told to go on.
    case .paused: return 0x1000_0001
    }
}

/// Makes the socket of a connection after the caller has permitted its address.
let curlOpenSocket: carillon_curl_opensocket_callback = { context, _, address in
    // -1 is CURL_SOCKET_BAD.
    guard let transfer = transfer(context), let address else { return -1 }
    let text = withUnsafePointer(to: &address.pointee.addr) {
        SocketAddress.numericHost($0, length: address.pointee.addrlen)
    }
    if let permits = transfer.request.permitsAddress, !permits(text ?? "") {
        transfer.stop = .addressRefused(text ?? "of an unknown family")
        return -1
    }
    return socket(
        address.pointee.family, address.pointee.socktype | O_CLOEXEC, address.pointee.protocol)
}

let curlSocketChanged: carillon_curl_socket_callback = { _, socket, what, context, _ in
    guard let context else { return 0 }
    let engine = Unmanaged<CurlEngine>.fromOpaque(context).takeUnretainedValue()
    var interest: Interest = []
    if what & CURL_POLL_IN != 0 { interest.insert(.read) }
    if what & CURL_POLL_OUT != 0 { interest.insert(.write) }
    engine.watch(socket, what == CURL_POLL_REMOVE ? nil : interest)
    return 0
}

let curlTimerChanged: carillon_curl_timer_callback = { _, milliseconds, context in
    guard let context else { return 0 }
    let engine = Unmanaged<CurlEngine>.fromOpaque(context).takeUnretainedValue()
    engine.setTimer(milliseconds < 0 ? nil : .milliseconds(milliseconds))
    return 0
}
