curl -L -X PUT chronos-node:8080/v1/scheduler/job/request_event_counter_hourly
