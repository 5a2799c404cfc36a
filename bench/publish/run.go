package publish

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"

	"ssedge/bench/mark"
)

// failuresMax is how many requests in a row may get no answer before a sender gives up.
const failuresMax = 10

// overrunMax is how long a run goes on behind its end with what fell due within it.
const overrunMax = 30 * time.Second

// causesMax is how many different reasons are kept.
const causesMax = 20

// sleepMax is how long a sender may fail to notice that the run's context has ended.
const sleepMax = 50 * time.Millisecond

// Schedule says when events are due. A run ends when all that fall due within its time are sent,
// however late.
type Schedule struct {
	Rate  float64       // events a second, over all topics; 0: flat out
	Count int           // of events; 0: no matter
	For   time.Duration // 0: until its context ends
}

// Report is what a run came to.
type Report struct {
	Requests     uint64
	Acknowledged uint64 // events
	Refused      uint64 // events that the server said it did not take
	Unsure       uint64 // events whose answer never came
	// events that were on their way when the run's context ended, and got no answer in time
	InFlight uint64
	Skipped  uint64 // events that fell due and were never sent
	Causes   map[string]uint64
	Took     time.Duration
	// microseconds from when an event was due to when it was written
	Late   *hdrhistogram.Histogram
	Answer *hdrhistogram.Histogram // microseconds from then to its answer
}

// counts are one topic's in one lane.
type counts struct {
	next, sure, maybe atomic.Uint32
}

// sender is one connection. A goroutine of a run owns it.
type sender struct {
	publisher    *Publisher
	index, count int
	lane         int
	conn         net.Conn
	reader       *bufio.Reader
	used         time.Time // when the last answer came
	asked        *http.Request
	request      []byte
	body         []byte
	payload      []byte
	report       Report
	late, answer *hdrhistogram.Histogram
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, time.Hour.Microseconds(), 3)
}

// Run publishes until the schedule is over or ctx ends, which is no error.
func (p *Publisher) Run(ctx context.Context, s Schedule) (Report, error) {
	// so that the threads are there when the first event is due
	start := time.Now().Add(time.Millisecond)
	var group sync.WaitGroup
	faults := make(chan error, len(p.senders))
	for _, one := range p.senders {
		one.report = Report{Causes: make(map[string]uint64)}
		one.late.Reset()
		one.answer.Reset()
		group.Go(func() {
			// sleeps are the kernel's: the runtime's timers fire late when its threads are busy
			runtime.LockOSThread()
			if p.config.Nice == 0 {
				// otherwise the thread ends, and its priority with it
				defer runtime.UnlockOSThread()
			} else {
				unix.Setpriority(unix.PRIO_PROCESS, 0, p.config.Nice)
			}
			if err := one.run(ctx, s, start); err != nil {
				faults <- err
			}
		})
	}
	group.Wait()
	if len(faults) == 0 {
		sleepUntil(ctx, start.Add(s.For)) // a run takes its time, also behind its last event
	}
	close(faults)
	sum := Report{Causes: make(map[string]uint64), Took: max(0, time.Since(start)),
		Late: newHistogram(), Answer: newHistogram()}
	for _, one := range p.senders {
		r := &one.report
		sum.Requests += r.Requests
		sum.Acknowledged += r.Acknowledged
		sum.Refused += r.Refused
		sum.Unsure += r.Unsure
		sum.InFlight += r.InFlight
		sum.Skipped += r.Skipped
		for cause, n := range r.Causes {
			sum.addCause(cause, n)
		}
		sum.Late.Merge(one.late)
		sum.Answer.Merge(one.answer)
	}
	return sum, <-faults // the first, or nil
}

func (s *sender) run(ctx context.Context, plan Schedule, start time.Time) error {
	c := &s.publisher.config
	failures := 0
	sleepUntil(ctx, start)
	for k := 0; ; k++ {
		// event k is on topic k mod topics; others see to those that are not this sender's
		number := k % c.Topics
		turn := number
		if c.Shared {
			turn = k
		}
		if turn%s.count != s.index {
			continue
		}
		due := start
		if plan.Rate > 0 {
			due = start.Add(time.Duration(float64(k*c.Batch) / plan.Rate * float64(time.Second)))
		}
		if plan.over(k*c.Batch, due.Sub(start), time.Since(start)) {
			return nil
		}
		n := c.Batch
		if plan.Count > 0 {
			n = min(n, plan.Count-k*c.Batch)
		}
		if plan.Rate > 0 {
			sleepUntil(ctx, due)
		} else {
			due = time.Now()
		}
		switch late := time.Since(due); {
		case plan.For > 0 && time.Since(start) > plan.For+overrunMax, ctx.Err() != nil &&
			late > leaveTimeout:
			s.report.Skipped += uint64(n)
			continue
		case ctx.Err() != nil:
			return nil
		}
		if err := s.publish(ctx, number, uint32(n), due); err != nil {
			if failures++; failures >= failuresMax && ctx.Err() == nil {
				return fmt.Errorf("publishing: %d requests in a row got no answer: %w", failures,
					err)
			}
			continue
		}
		failures = 0
	}
}

// over reports whether event number k, due at due, is behind the end. Both times are since the
// start.
func (s *Schedule) over(k int, due, now time.Duration) bool {
	if s.Rate == 0 {
		due = now
	}
	return s.Count > 0 && k >= s.Count || s.For > 0 && due >= s.For
}

// publish sends one request of n events and books it. An error means that it got no answer.
func (s *sender) publish(ctx context.Context, number int, n uint32, due time.Time) error {
	t := &s.publisher.counts[number*s.publisher.lanes+s.lane]
	s.report.Requests++
	if s.conn != nil && s.closedWhileIdle() {
		s.conn.Close()
		s.conn = nil
	}
	if s.conn == nil {
		if err := s.dial(ctx); err != nil {
			if ctx.Err() == nil { // not the end of the run
				s.refused(n, err)
			}
			return err
		}
	}
	seq := t.next.Add(n) - n + 1
	if seq+n > mark.SeqMax {
		return fmt.Errorf("topic %d has had %d events: a mark has no higher number", number, seq)
	}
	s.request = s.appendRequest(s.request[:0], number, seq, n, mark.At(due))
	written := time.Now()
	s.late.RecordValue(max(0, written.Sub(due).Microseconds()))
	err := s.exchange(ctx, s.request)
	s.used = time.Now()
	var status *StatusError
	switch {
	case err == nil:
		s.answer.RecordValue(time.Since(written).Microseconds())
		t.sure.Add(n)
		s.report.Acknowledged += uint64(n)
		return nil
	case errors.As(err, &status):
		// Of a batch some may have been taken.
		if n > 1 {
			t.maybe.Add(n)
		}
		s.refused(n, err)
		return nil
	}
	t.maybe.Add(n)
	if ctx.Err() != nil {
		s.report.InFlight += uint64(n)
	} else {
		s.report.Unsure += uint64(n)
	}
	s.report.addCause(cause(err), uint64(n))
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
	return err
}

func (s *sender) refused(n uint32, err error) {
	s.report.Refused += uint64(n)
	s.report.addCause(cause(err), uint64(n))
}

// addCause counts events under the reason why they were not acknowledged.
func (r *Report) addCause(cause string, n uint64) {
	if _, known := r.Causes[cause]; !known && len(r.Causes) >= causesMax {
		cause = "others"
	}
	r.Causes[cause] += n
}

// cause is an error without what differs from one connection to the next: their ports.
func cause(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Op != "dial" {
		return op.Op + ": " + op.Err.Error()
	}
	return err.Error()
}

// sleepUntil sleeps in the kernel, in pieces: nothing else ends such a sleep.
func sleepUntil(ctx context.Context, t time.Time) {
	for left := time.Until(t); left > 0 && ctx.Err() == nil; left = time.Until(t) {
		pause := unix.NsecToTimespec(int64(min(left, sleepMax)))
		unix.Nanosleep(&pause, nil)
	}
}
