import JSON

/// What Chronos' own serialiser printed (chronos.md §2.2).
enum Sample {
    static let scheduled = #"""
        {"name":"nightly-report","command":"/opt/report.sh --full","shell":true,"executor":"",\#
        "executorFlags":"","taskInfoData":"","retries":2,"owner":"ops@example.com,bi@example.com",\#
        "ownerName":"BI team","description":"d","successCount":12,"errorCount":1,\#
        "lastSuccess":"2026-02-28T01:00:42.117Z","lastError":"2026-02-10T01:03:10.002Z","cpus":0.1,\#
        "disk":256.0,"mem":128.0,"disabled":false,"softError":false,"dataProcessingJobType":false,\#
        "errorsSinceLastSuccess":0,"fetch":[{"uri":"http://repo.local/report.tgz","executable":false,\#
        "cache":false,"extract":true}],"uris":[],"environmentVariables":[{"name":"MODE","value":"prod"}],\#
        "arguments":[],"highPriority":false,"runAsUser":"root","concurrent":false,"maxCompletionTime":0,\#
        "constraints":[["rack","LIKE","rack-[1-3]"]],"schedule":"R/2026-03-01T02:00:00.000+01:00/P1D",\#
        "scheduleTimeZone":"Europe/Paris"}
        """#
    static let dependent = #"""
        {"name":"publish","command":"./publish.sh","shell":true,"executor":"","executorFlags":"",\#
        "taskInfoData":"","retries":0,"owner":"","ownerName":"","description":"","successCount":0,\#
        "errorCount":0,"lastSuccess":"","lastError":"","cpus":0.5,"disk":256.0,"mem":128.0,"disabled":false,\#
        "softError":false,"dataProcessingJobType":false,"errorsSinceLastSuccess":0,"fetch":[],"uris":[],\#
        "environmentVariables":[],"arguments":[],"highPriority":false,"runAsUser":"root","concurrent":true,\#
        "maxCompletionTime":0,"constraints":[],"parents":["nightly-report","load-dims"]}
        """#
    static let container = #"""
        {"name":"dockerjob","command":"date","shell":true,"executor":"","executorFlags":"",\#
        "taskInfoData":"","retries":2,"owner":"","ownerName":"","description":"","successCount":0,\#
        "errorCount":0,"lastSuccess":"","lastError":"","cpus":0.1,"disk":256.0,"mem":128.0,"disabled":false,\#
        "softError":false,"dataProcessingJobType":false,"errorsSinceLastSuccess":0,"fetch":[],"uris":[],\#
        "environmentVariables":[],"arguments":[],"highPriority":false,"runAsUser":"root","concurrent":false,\#
        "maxCompletionTime":90,"container":{"type":"DOCKER","image":"registry.local/ubuntu:24.04",\#
        "network":"BRIDGE","networkInfos":[],"volumes":[{"hostPath":"/logs/","containerPath":"/var/log/",\#
        "mode":"RW"},{"containerPath":"/data","external":{"name":"v1","provider":"local-persist",\#
        "options":[{"key":"mountpoint","value":"/tmp/t"}]}}],"forcePullImage":true,\#
        "parameters":[{"key":"env","value":"A=1"}]},"constraints":[],\#
        "schedule":"R10/2026-03-01T00:00:00Z/PT2M","scheduleTimeZone":""}
        """#

    /// Members of a posted job, a key, and what it is listed with.
    static let lenient: [(String, String, JSONValue)] = [
        (#""cpus":"0.5""#, "cpus", 0.5), (#""cpus":0"#, "cpus", 0.1), (#""cpus":"x""#, "cpus", 0.1),
        (#""cpus":-3"#, "cpus", 0.1), (#""cpus":"0x10""#, "cpus", 0.1), (#""cpus":"nan""#, "cpus", 0.1),
        (#""mem":"512""#, "mem", 512), (#""mem":null"#, "mem", 128), (#""disk":1e7"#, "disk", 10_000_000),
        (#""retries":"5""#, "retries", 5), (#""retries":"many""#, "retries", 0), (#""retries":-1"#, "retries", 0),
        (#""retries":null"#, "retries", 2), (#""retries":2.9"#, "retries", 2),
        (#""shell":"false""#, "shell", false), (#""shell":0"#, "shell", false), (#""shell":null"#, "shell", true),
        (#""disabled":"true""#, "disabled", true), (#""disabled":1"#, "disabled", true),
        (#""disabled":"yes""#, "disabled", false), (#""concurrent":true"#, "concurrent", true),
        (#""highPriority":"true""#, "highPriority", true), (#""softError":true"#, "softError", true),
        (#""command":5"#, "command", "5"), (#""owner":null"#, "owner", ""), (#""owner":true"#, "owner", "true"),
        (#""arguments":[1,"b"]"#, "arguments", ["1", "b"]), (#""arguments":"""#, "arguments", []),
        (#""arguments":null"#, "arguments", []), (#""maxCompletionTime":"90""#, "maxCompletionTime", 90),
        (#""maxCompletionTime":-1"#, "maxCompletionTime", 0), (#""taskInfoData":"x""#, "taskInfoData", "x"),
        (#""executorFlags":"f""#, "executorFlags", "f"), (#""dataProcessingJobType":1"#, "dataProcessingJobType", true),
        (#""scheduleTimeZone":null"#, "scheduleTimeZone", ""), (#""successCount":"7""#, "successCount", 7),
        (#""lastSuccess":"2026-01-01T01:00:00+01:00""#, "lastSuccess", "2026-01-01T00:00:00.000Z"),
        (#""parents":[],"schedule":"R/2026-01-01T00:00:00Z/P1D""#, "schedule", "R/2026-01-01T00:00:00Z/P1D"),
        (#""constraints":[["rack","like","r.*"]]"#, "constraints", [["rack", "LIKE", "r.*"]]),
        (#""async":true"#, "async", true), (#""epsilon":"P1M""#, "epsilon", "P1M"),
    ]
}
