// Measures the cases that have a counterpart in Go's context package, in the same way as the others: one
// process for each case, CPU time (user and system, including the garbage collector), and the median of long
// samples.
//
//	bench <case> [-quick]    prints the figures as JSON
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"sort"
	"syscall"
)

type figures map[string]float64

var quick = len(os.Args) > 2 && os.Args[2] == "-quick"

// sink keeps results alive, so that the compiler cannot remove the code that made them.
var sink any

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: bench <case> [-quick]")
		os.Exit(2)
	}
	if os.Args[1] == "version" {
		fmt.Println(runtime.Version())
		return
	}
	run, ok := cases[os.Args[1]]
	if !ok {
		fmt.Fprintln(os.Stderr, "there is no case", os.Args[1])
		os.Exit(2)
	}
	if err := json.NewEncoder(os.Stdout).Encode(run()); err != nil {
		panic(err)
	}
}

// cpuNow returns the CPU time of this process in nanoseconds, of all threads.
func cpuNow() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return float64(u.Utime.Nano() + u.Stime.Nano())
}

func median(samples []float64) float64 {
	sort.Float64s(samples)
	return samples[len(samples)/2]
}

// perOp returns the CPU time of one operation. loop runs n of them.
func perOp(loop func(n int)) figures {
	sampleNs, samples := 30e6, 13
	if quick {
		sampleNs, samples = 10e6, 5
	}
	n := 64
	for {
		start := cpuNow()
		loop(n)
		if took := cpuNow() - start; took >= sampleNs/2 {
			n = int(float64(n) * sampleNs / took)
			break
		}
		n *= 2
	}
	runtime.GC()
	perOp := make([]float64, samples)
	for i := range perOp {
		start := cpuNow()
		loop(n)
		perOp[i] = (cpuNow() - start) / float64(n)
	}
	return figures{"value": median(perOp)}
}

func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// bytesLive returns the heap bytes of one live result of make_, without the slot that holds it.
func bytesLive(make_ func() any) figures {
	n := 100_000
	held := make([]any, n)
	before := heap()
	for i := range held {
		held[i] = make_()
	}
	bytes := (heap() - before) / float64(n)
	runtime.KeepAlive(held)
	return figures{"value": bytes}
}
