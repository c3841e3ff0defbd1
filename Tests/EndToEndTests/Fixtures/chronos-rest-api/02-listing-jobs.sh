curl -L -X GET chronos-node:8080/v1/scheduler/jobs
