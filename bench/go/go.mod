module eightysix/bench

go 1.19
