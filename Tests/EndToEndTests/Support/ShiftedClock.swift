import Foundation

/// The wall clock of one process, which a test can set: a small library that is loaded before all others, compiled by the
/// test, and a file with the seconds that it adds. The kernel's own clock stays as it is; what a process asks it for
/// comes through the C library, and there the library is in between.
struct ShiftedClock {
    /// Why there can be none here; nil if there can.
    static let obstacle: String? = {
        do {
            let result = try Executable.shell("command -v cc")
            return result.status == 0 ? nil : "there is no C compiler"
        } catch { return "\(error)" }
    }()

    private let path: String

    init(folder: String, node: String) { path = "\(folder)/\(node).clock" }

    /// Words before those of the node's command line. Its clock is right at first.
    func wrapper(folder: String) throws -> [String] {
        let library = folder + "/shifted-clock.so"
        if !FileManager.default.fileExists(atPath: library) { try Self.compile(library) }
        try Data(count: 8).write(to: URL(fileURLWithPath: path))
        return ["env", "LD_PRELOAD=" + library, "SHIFTED_CLOCK=" + path]
    }

    /// The process sees it at once.
    func set(secondsAhead seconds: Int64) throws {
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.write(contentsOf: withUnsafeBytes(of: seconds) { Data($0) })
        try file.close()
    }

    private static func compile(_ library: String) throws {
        let source = library + ".c"
        try program.write(toFile: source, atomically: true, encoding: .utf8)
        let result = try Executable.shell("cc -shared -fPIC -O1 -o \(library) \(source)")
        guard result.status == 0 else { throw Cluster.Failure(description: "cc: \(result.errors)") }
    }

    private static let program = """
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <stdlib.h>
        #include <sys/mman.h>
        #include <sys/syscall.h>
        #include <sys/time.h>
        #include <time.h>
        #include <unistd.h>

        static const volatile long long *ahead;

        __attribute__((constructor)) static void begin(void) {
            const char *path = getenv("SHIFTED_CLOCK");
            int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
            if (file < 0) return;
            void *page = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
            if (page != MAP_FAILED) ahead = page;
            close(file);
        }

        static long long shift(void) { return ahead ? *ahead : 0; }

        int clock_gettime(clockid_t clock, struct timespec *now) {
            int result = (int)syscall(SYS_clock_gettime, clock, now);
            if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += shift();
            return result;
        }

        int gettimeofday(struct timeval *restrict now, void *restrict zone) {
            int result = (int)syscall(SYS_gettimeofday, now, zone);
            if (result == 0) now->tv_sec += shift();
            return result;
        }

        time_t time(time_t *out) {
            struct timespec now;
            clock_gettime(CLOCK_REALTIME, &now);
            if (out) *out = now.tv_sec;
            return now.tv_sec;
        }
        """
}
