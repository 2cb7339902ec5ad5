package main

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

type layerKey int

// parent lives as long as the process.
var parent, _ = context.WithCancel(context.Background())

var cases = map[string]func() figures{
	"derive": func() figures {
		return perOp(func(n int) {
			for i := 0; i < n; i++ {
				ctx, cancel := context.WithCancel(parent)
				cancel()
				sink = ctx
			}
		})
	},
	"derive-done": func() figures {
		return perOp(func(n int) {
			for i := 0; i < n; i++ {
				ctx, cancel := context.WithCancel(parent)
				done := ctx.Done()
				cancel()
				sink = done
			}
		})
	},
	"timeout":      func() figures { return timeouts(0) },
	"timeout-100k": func() figures { return timeouts(100_000) },

	"err-1":           func() figures { return errs(chain(1, false)) },
	"err-5":           func() figures { return errs(chain(5, false)) },
	"err-50":          func() figures { return errs(chain(50, false)) },
	"err-deadline-1":  func() figures { return errs(chain(1, true)) },
	"err-deadline-5":  func() figures { return errs(chain(5, true)) },
	"err-deadline-50": func() figures { return errs(chain(50, true)) },

	"value-1":   func() figures { return values(1) },
	"value-10":  func() figures { return values(10) },
	"value-50":  func() figures { return values(50) },
	"value-100": func() figures { return values(100) },

	"fanout-1k":         func() figures { return family(1_000, siblings) },
	"fanout-100k":       func() figures { return family(100_000, siblings) },
	"fanout-1000k":      func() figures { return family(1_000_000, siblings) },
	"fanout-deep-1000k": func() figures { return family(1_000_000, descent) },

	"bytes-cancel": func() figures {
		return bytesLive(func() any { ctx, cancel := context.WithCancel(parent); _ = cancel; return ctx })
	},
	"bytes-timeout": func() figures {
		return bytesLive(func() any { ctx, cancel := context.WithTimeout(parent, time.Hour); _ = cancel; return ctx })
	},
	"bytes-value": func() figures {
		i := 0
		return bytesLive(func() any { i++; return context.WithValue(parent, layerKey(0), i&1023) })
	},
	"bytes-cancel-done": func() figures {
		return bytesLive(func() any {
			ctx, cancel := context.WithCancel(parent)
			_ = cancel
			_ = ctx.Done()
			return ctx
		})
	},
	"forget-cancel": func() figures {
		const n = 1_000_000
		before, start := heap(), cpuNow()
		for i := 0; i < n; i++ {
			ctx, cancel := context.WithCancel(parent)
			_, sink = cancel, ctx
		}
		ns := (cpuNow() - start) / n
		left := figures{"bytes": (heap() - before) / n, "ns": ns}
		runtime.KeepAlive(parent)
		return left
	},
}

func timeouts(live int) figures {
	for i := 0; i < live; i++ {
		spread := time.Duration((i*7919)%3_600_000) * time.Millisecond
		_, cancel := context.WithTimeout(parent, time.Minute+spread)
		defer cancel()
	}
	return perOp(func(n int) {
		for i := 0; i < n; i++ {
			ctx, cancel := context.WithTimeout(parent, time.Minute)
			cancel()
			sink = ctx
		}
	})
}

// chain derives layers as a program adds them. Each layer is a value and a context that can end.
func chain(depth int, deadline bool) context.Context {
	ctx := context.Background()
	for i := 0; i < depth; i++ {
		ctx = context.WithValue(ctx, layerKey(i), i)
		if deadline {
			ctx, _ = context.WithTimeout(ctx, time.Hour-time.Duration(i)*time.Second)
		} else {
			ctx, _ = context.WithCancel(ctx)
		}
	}
	return ctx
}

func errs(ctx context.Context) figures {
	return perOp(func(n int) {
		live := 0
		for i := 0; i < n; i++ {
			if ctx.Err() == nil {
				live++
			}
		}
		if live != n {
			panic("not live")
		}
	})
}

func values(depth int) figures {
	ctx := context.WithValue(context.Background(), layerKey(0), 1)
	for i := 1; i < depth; i++ {
		ctx, _ = context.WithCancel(ctx)
		ctx = context.WithValue(ctx, layerKey(i), i)
	}
	return perOp(func(n int) {
		sum := 0
		for i := 0; i < n; i++ {
			sum += ctx.Value(layerKey(0)).(int)
		}
		if sum != n {
			panic(fmt.Sprint("wrong sum ", sum))
		}
	})
}

// siblings makes the eldest the parent of every context. descent makes each context the parent of the next.
func siblings(eldest, _ context.Context) context.Context { return eldest }
func descent(_, last context.Context) context.Context    { return last }

func family(n int, parentOf func(eldest, last context.Context) context.Context) figures {
	rounds := 3
	if n < 100_000 {
		rounds = 300_000 / n
	}
	derived, canceled := make([]float64, rounds), make([]float64, rounds)
	all := make([]context.Context, n)
	for round := range derived {
		for i := range all {
			all[i] = nil
		}
		runtime.GC()
		eldest, cancel := context.WithCancel(context.Background())
		start := cpuNow()
		last := eldest
		for i := range all {
			last, _ = context.WithCancel(parentOf(eldest, last))
			all[i] = last
		}
		middle := cpuNow()
		cancel()
		end := cpuNow()
		for _, ctx := range all {
			if ctx.Err() == nil {
				panic("not canceled")
			}
		}
		derived[round], canceled[round] = (middle-start)/float64(n), (end-middle)/float64(n)
	}
	return figures{"derive": median(derived), "cancel": median(canceled)}
}
