package scenario

import (
	"errors"
	"math"
	"slices"

	"ssedge/bench/observe"
)

const micros = 1e6 // in a second

// cpu is the server's time so far; NaN if it cannot be seen.
func (x *trial) cpu() float64 {
	if x.t.Server == nil {
		return math.NaN()
	}
	d, err := x.t.Server.CPU()
	return x.seen(d.Seconds(), err)
}

// spent is the server's time since a reading.
func (x *trial) spent(since float64) float64 { return x.difference(x.cpu(), since) }

// difference is that of two readings of a clock that only moves forward; NaN if it moved back: then
// it is another process's.
func (x *trial) difference(now, since float64) float64 {
	if now < since {
		return x.seen(0, errRestarted)
	}
	return now - since
}

var errRestarted = errors.New("its CPU time has gone back: the process was started again meanwhile")

func (x *trial) pss() float64 {
	if x.t.Server == nil {
		return math.NaN()
	}
	n, err := x.t.Server.PSS()
	return x.seen(float64(n), err)
}

func (x *trial) peak() float64 {
	if x.t.Server == nil {
		return math.NaN()
	}
	n, err := x.t.Server.Peak()
	return x.seen(float64(n), err)
}

// seen returns a reading, NaN if it failed. Each kind of failure is noted once.
func (x *trial) seen(value float64, err error) float64 {
	if err == nil {
		return value
	}
	x.notes.Lock()
	defer x.notes.Unlock()
	note := "the server's costs: " + err.Error()
	if !slices.Contains(x.r.Notes, note) {
		x.r.Notes = append(x.r.Notes, note)
	}
	return math.NaN()
}

func (x *trial) kernel() observe.Kernel {
	k, err := observe.ReadKernel()
	x.seen(0, err)
	return k
}
