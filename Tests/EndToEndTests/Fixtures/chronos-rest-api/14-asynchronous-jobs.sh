curl -L -X PUT -H "Content-Type: application/json" -d '{"statusCode": 0}' chronos-node:8080/v1/scheduler/task/my_job_run_555_882083xkj302
