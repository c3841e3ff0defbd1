public import Domain

/// What the node's pipeline has found out about the request that the current task answers.
public enum RequestContext {
    /// Who asks; nil when nobody was authenticated. Bound around a handler's call only: a body that is streamed after
    /// the handler has returned must capture what it needs.
    @TaskLocal public static var principal: Principal?
    /// Where the request stands in its sender's trace; nil where it carries none. Bound as `principal` is.
    @TaskLocal public static var trace: TraceContext?
}
