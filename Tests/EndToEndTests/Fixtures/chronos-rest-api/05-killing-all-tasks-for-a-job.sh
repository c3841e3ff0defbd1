curl -L -X DELETE chronos-node:8080/v1/scheduler/task/kill/request_event_counter_hourly
