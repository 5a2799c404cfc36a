package main

import (
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// The log never holds up the service. A pipe whose reader is gone or slow (journald that starts
// again, docker logs) would block a write for ever, or end the process by SIGPIPE: so lines are
// queued, and one goroutine writes them.

// logLines is how many lines may wait to be written; more are dropped and counted.
const logLines = 1024

// logPatience is how long the end of the process waits for lines that are not written yet.
const logPatience = time.Second

// lineQueue is a writer that does not block. It is safe from any goroutine. Each Write is a line.
type lineQueue struct {
	lines   chan []byte
	waiting atomic.Int64 // lines that are not written yet
	dropped atomic.Uint64
}

// newLineQueue writes to w, and has told say there how many lines were dropped. Errors of w are
// ignored: there is nothing to tell them to.
func newLineQueue(w io.Writer, tell func(w io.Writer, dropped uint64)) *lineQueue {
	q := &lineQueue{lines: make(chan []byte, logLines)}
	go func() {
		told := uint64(0)
		for line := range q.lines {
			w.Write(line)
			if n := q.dropped.Load(); n != told && len(q.lines) == 0 {
				tell(w, n-told)
				told = n
			}
			q.waiting.Add(-1)
		}
	}()
	return q
}

// Write queues a line, or drops it.
func (q *lineQueue) Write(line []byte) (int, error) {
	q.waiting.Add(1)
	select {
	case q.lines <- append([]byte(nil), line...):
	default:
		q.waiting.Add(-1)
		q.dropped.Add(1)
	}
	return len(line), nil
}

// flush waits until what is queued is written, but not for long.
func (q *lineQueue) flush() {
	for deadline := time.Now().Add(logPatience); q.waiting.Load() > 0 &&
		time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
}

// printLast prints the process's last words, but does not let a blocked output keep it from ending.
func printLast(say func()) {
	said := make(chan struct{})
	go func() {
		say()
		close(said)
	}()
	select {
	case <-said:
	case <-time.After(logPatience):
	}
}

// serverOutput is where a server says something: its log at standard error, and what it announces
// at standard output.
type serverOutput struct {
	log, announce *lineQueue
}

// newServerOutput takes over both. From then on a reader that is gone does not end the process.
func (c *serveCmd) newServerOutput() *serverOutput {
	signal.Ignore(syscall.SIGPIPE)
	return &serverOutput{
		log: newLineQueue(os.Stderr, func(w io.Writer, dropped uint64) {
			slog.New(c.handler(w, slog.LevelWarn)).
				Warn("log lines were dropped: the log was not read", "lines", dropped)
		}),
		announce: newLineQueue(os.Stdout, func(io.Writer, uint64) {}),
	}
}

func (o *serverOutput) flush() {
	o.announce.flush()
	o.log.flush()
}

// dropped is how many lines were.
func (o *serverOutput) dropped() uint64 { return o.log.dropped.Load() + o.announce.dropped.Load() }

// logger writes records in the format and from the level that the settings name.
func (c *serveCmd) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	level.UnmarshalText([]byte(c.LogLevel)) // one of the enum's
	return slog.New(c.handler(w, level))
}

func (c *serveCmd) handler(w io.Writer, level slog.Level) slog.Handler {
	o := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		o.ReplaceAttr = func(_ []string, a slog.Attr) slog.Attr {
			// otherwise it would be a number of nanoseconds
			if a.Value.Kind() == slog.KindDuration {
				a.Value = slog.StringValue(a.Value.Duration().String())
			}
			return a
		}
		return slog.NewJSONHandler(w, o)
	}
	return slog.NewTextHandler(w, o)
}

// recorded is an error that the log has.
type recorded struct{ error }

// record writes an error that ends the server as its log is written, if that is JSON: what reads
// the log cannot read anything else.
func (c *serveCmd) record(err error) error {
	if err == nil || c.LogFormat != "json" {
		return err
	}
	printLast(func() {
		slog.New(c.handler(os.Stderr, slog.LevelError)).Error("serve failed", "error", err)
	})
	return recorded{err}
}
