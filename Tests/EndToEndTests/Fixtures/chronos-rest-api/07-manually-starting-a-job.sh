curl -L -X PUT chronos-node:8080/v1/scheduler/job/job_name?arguments=-debug
