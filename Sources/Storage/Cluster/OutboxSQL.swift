import Domain
import DomainCoding
import PostgresClient
import Timetable

/// Messages of a commit.
enum OutboxSQL {
    static func put(_ messages: [OutboxMessage]) -> Statement {
        Statement(
            putMessages,
            .textArray(messages.map(\.id)),
            .textArray(messages.map(\.channel.rawValue)),
            .textArray(messages.map(\.destination.withoutNUL)),
            .textArray(messages.map { NoticeCoding.text(storable($0.notice)) }),
            .textArray(messages.map(\.notice.job.rawValue)),
            .timestampArray(messages.map(\.notice.at.microseconds)))
    }

    /// jsonb refuses the escape of NUL, and only what a command wrote can have one.
    private static func storable(_ notice: Notice) -> Notice {
        var notice = notice
        notice.reason = notice.reason.withoutNUL
        if let reason = notice.run?.reason { notice.run?.reason = reason.withoutNUL }
        if let reason = notice.record?.reason { notice.record?.reason = reason.withoutNUL }
        if let tail = notice.record?.outputTail { notice.record?.outputTail = tail.withoutNUL }
        return notice
    }

    /// The counters are those from before this commit: it is the first of its statements.
    private static let putMessages = """
        INSERT INTO carillon.outbox (id, channel, destination, notice, counters, created, due)
        SELECT i.id, i.channel, i.destination, i.notice::jsonb,
               coalesce((SELECT jsonb_build_object('successes', j.successes, 'errors', j.errors,
                                                   'errors_since_success', j.errors_since_success,
                                                   'last_success_us', (extract(epoch FROM j.last_success) * 1e6)::int8,
                                                   'last_error_us', (extract(epoch FROM j.last_error) * 1e6)::int8)
                           FROM carillon.jobs j WHERE j.id = i.job), '{}'),
               i.at, i.at
          FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
            AS i(id, channel, destination, notice, job, at)
        """
}
