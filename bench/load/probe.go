package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// probeConnections share the probe's events in turn, so that a slow answer does not hold up the next event.
	probeConnections = 16
	// probeNice puts the probe's threads before the load's: what is measured is the server, not this process.
	probeNice   = -15
	probeDrain  = 5 * time.Second
	probeDigits = 10
	probeSettle = 100 * time.Millisecond
)

// ProbeConfig describes a topic with one subscriber that gets an event at fixed times.
type ProbeConfig struct {
	Target    netip.AddrPort
	Topic     string
	Every     time.Duration
	Count     int
	DataBytes int
}

// ProbeResult has the latencies in the order the events were due. The schedule does not wait for anything, so a
// stalled server is charged for every event that fell due meanwhile.
type ProbeResult struct {
	Latency  []time.Duration // from when the event was due to when it was read
	Late     []time.Duration // of that, from when it was due to when the request was about to be written
	Lost     int             // never arrived
	Repeated int             // arrived twice
	Priority bool            // whether the probe's threads ran at raised priority
}

// probe is one measurement. The reader writes arrived, the writers late, each its own elements; both are read after all
// have ended.
type probe struct {
	config  ProbeConfig
	start   time.Time
	arrived []time.Time
	late    []time.Duration
	again   int
}

// MeasureProbe runs the probe to its end, or until ctx ends.
func MeasureProbe(ctx context.Context, c ProbeConfig) (ProbeResult, error) {
	p := &probe{config: c, arrived: make([]time.Time, c.Count), late: make([]time.Duration, c.Count)}
	fd, err := p.subscribe()
	if err != nil {
		return ProbeResult{}, err
	}
	defer unix.Close(fd)
	time.Sleep(probeSettle)
	span := time.Duration(c.Count) * c.Every
	p.start = time.Now().Add(probeSettle)
	end := p.start.Add(span + probeDrain)

	var workers sync.WaitGroup
	faults := make(chan error, probeConnections+1)
	var raised bool
	workers.Go(func() {
		runtime.LockOSThread() // and never back: the thread has been given another priority
		raised = unix.Setpriority(unix.PRIO_PROCESS, 0, probeNice) == nil
		if err := p.read(ctx, fd, end); err != nil {
			faults <- fmt.Errorf("probe's subscriber: %w", err)
		}
	})
	for i := range probeConnections {
		workers.Go(func() {
			runtime.LockOSThread()
			unix.Setpriority(unix.PRIO_PROCESS, 0, probeNice)
			if err := p.write(ctx, i, end); err != nil {
				faults <- fmt.Errorf("probe's publisher: %w", err)
			}
		})
	}
	workers.Wait()
	close(faults)

	result := ProbeResult{Late: p.late, Repeated: p.again, Priority: raised}
	for i, at := range p.arrived {
		if at.IsZero() {
			result.Lost++
			continue
		}
		result.Latency = append(result.Latency, at.Sub(p.due(i)))
	}
	return result, <-faults // the first, or nil
}

func (p *probe) due(i int) time.Time { return p.start.Add(time.Duration(i) * p.config.Every) }

// subscribe opens the stream, a blocking socket of its own, and asks.
func (p *probe) subscribe() (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	target := &unix.SockaddrInet4{Port: int(p.config.Target.Port()), Addr: p.config.Target.Addr().As4()}
	err = unix.Connect(fd, target)
	if err == nil {
		_, err = unix.Write(fd, fmt.Appendf(nil, "GET /events?topic=%s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n\r\n",
			p.config.Topic, p.config.Target))
	}
	if err == nil {
		tick := unix.NsecToTimeval(int64(50 * time.Millisecond))
		err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tick)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("probe: %w", err)
	}
	return fd, nil
}

// read notes when each event arrives, until all have or end.
func (p *probe) read(ctx context.Context, fd int, end time.Time) error {
	var pending []byte
	buffer := make([]byte, 64<<10)
	for got := 0; got < p.config.Count && time.Now().Before(end) && ctx.Err() == nil; {
		n, err := unix.Read(fd, buffer)
		now := time.Now()
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case n == 0:
			return errors.New("the server closed the stream")
		}
		pending = append(pending, buffer[:n]...)
		for {
			line, rest, whole := bytes.Cut(pending, []byte("\n"))
			if !whole {
				break
			}
			pending = rest
			number, found := probeNumber(line)
			if !found {
				continue
			}
			if number >= p.config.Count {
				return fmt.Errorf("expected events below %d, found %d", p.config.Count, number)
			}
			if !p.arrived[number].IsZero() {
				p.again++
				continue
			}
			p.arrived[number] = now
			got++
		}
	}
	return nil
}

func probeNumber(line []byte) (int, bool) {
	data, found := bytes.CutPrefix(line, []byte("data: "))
	if !found || len(data) < probeDigits {
		return 0, false
	}
	n, err := strconv.Atoi(string(data[:probeDigits]))
	return n, err == nil
}

// write publishes every probeConnections-th event at the time it is due, or as soon after as the one before is answered.
func (p *probe) write(ctx context.Context, first int, end time.Time) error {
	publisher, err := NewPublisher(p.config.Target, "/publish?topic="+p.config.Topic, OneEvent, end)
	if err != nil {
		return err
	}
	defer publisher.Close()
	data := bytes.Repeat([]byte("x"), max(p.config.DataBytes, probeDigits))
	for i := first; i < p.config.Count && ctx.Err() == nil; i += probeConnections {
		sleepUntil(p.due(i))
		copy(data, fmt.Appendf(nil, "%0*d", probeDigits, i))
		p.late[i] = time.Since(p.due(i))
		if err := publisher.Publish(data); err != nil {
			return err
		}
	}
	return nil
}

// sleepUntil sleeps in the kernel: the runtime's timers fire late when its threads are busy.
func sleepUntil(t time.Time) {
	for left := time.Until(t); left > 0; left = time.Until(t) {
		pause := unix.NsecToTimespec(int64(left))
		unix.Nanosleep(&pause, nil)
	}
}
