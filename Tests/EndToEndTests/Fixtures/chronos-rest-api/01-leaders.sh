curl -L chronos-node:8080/leader
