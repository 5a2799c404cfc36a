package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"ssedge/engine/fanin"
	"ssedge/engine/state"
	"ssedge/shard/topic"
)

// history keeps what a node without Redis has of history, of floors of ids and of idempotency keys
// in a directory: it is read before the node serves, and written when it has drained.
type history struct {
	dir    *state.Dir
	path   string
	topics *topic.Table
	keys   *fanin.Memory
	log    *slog.Logger

	mu     sync.Mutex  // of the directory
	over   bool        // it was written for the last time, or closed
	ending atomic.Bool // it is about to be

	written  atomic.Int64 // when, in Unix milliseconds; 0: there is no file
	bytes    atomic.Int64
	took     atomic.Int64 // nanoseconds
	failures atomic.Uint64
}

// openHistory reads the history of the process before, if this node keeps one. Nothing may use the
// topics yet.
func (e *Engine) openHistory() error {
	memory, ok := e.source.(*fanin.Memory)
	if e.config.StateDir == "" || !ok {
		return nil
	}
	dir, err := state.Open(e.config.StateDir)
	if err != nil {
		return fmt.Errorf("--state-dir %s: %w", e.config.StateDir, err)
	}
	e.history = &history{dir: dir, path: e.config.StateDir, topics: e.group.Table(), keys: memory,
		log: e.config.Logger}
	return e.history.read()
}

// read fills the topics and the keys, wholly or not at all.
func (h *history) read() error {
	began := time.Now()
	found, bad, err := h.dir.Read(began, func(r *state.Reader, f state.Found) error {
		saved, err := h.topics.Load(r.Next, f.Clean)
		if err != nil {
			return err
		}
		if err := h.keys.Load(r.Next, saved.Had); err != nil {
			h.topics.Unload()
			return err
		}
		return nil
	})
	for _, b := range bad {
		h.log.Error("a file of history cannot be read, and was put aside", "file", b.Aside,
			"error", b.Err)
	}
	if err != nil {
		return fmt.Errorf("--state-dir %s: %w", h.path, err)
	}
	if found == nil {
		h.log.Info("there is no history of an earlier process", "state_dir", h.path)
		return nil
	}
	h.written.Store(found.Written.UnixMilli())
	h.bytes.Store(found.Size)
	said := "history was read, and is complete"
	if !found.Clean {
		said = "history was read: what came after it was written is told as a gap"
	}
	h.log.Info(said, "state_dir", h.path, "written", found.Written.UTC(), "bytes", found.Size,
		"topics", h.topics.Topics(), "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// use says that the node serves from now on: what was read is not complete any more.
func (h *history) use() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.dir.Use(); err != nil {
		return fmt.Errorf("--state-dir %s: %w", h.path, err)
	}
	return nil
}

// writeEvery writes at that interval until the node ends; 0: never.
func (h *history) writeEvery(interval time.Duration, ended <-chan struct{}) {
	if interval == 0 {
		return
	}
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			stop := stopAt(time.Time{}, ended)
			h.write(false, func() error {
				if h.ending.Load() {
					return errEnding
				}
				return stop()
			})
		case <-ended:
			return
		}
	}
}

// writeTimeout is how much of the drain timeout is kept for writing.
func (e *Engine) writeTimeout() time.Duration {
	if e.history == nil {
		return 0
	}
	return e.config.DrainTimeout / 4
}

// writeLast writes when nothing is published any more, until deadline.
func (h *history) writeLast(deadline time.Time, ended <-chan struct{}) {
	h.ending.Store(true)
	h.write(true, stopAt(deadline, ended))
}

var (
	errLate  = errors.New("the drain timeout was over")
	errEnded = errors.New("the node was told to end at once")
	// what is written at an interval gives way to the last file
	errEnding = errors.New("the node has drained")
)

// stopAt is what keeps a file from being written to its end.
func stopAt(deadline time.Time, ended <-chan struct{}) func() error {
	return func() error {
		select {
		case <-ended:
			return errEnded
		default:
		}
		if !deadline.IsZero() && time.Now().After(deadline) {
			return errLate
		}
		return nil
	}
}

// write writes the file; last says that nothing comes after it.
func (h *history) write(last bool, stop func() error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return
	}
	h.over = last
	began := time.Now()
	size, err := h.dir.Write(began, last, stop, h.topics.Save, h.keys.Save)
	took := time.Since(began)
	if errors.Is(err, errEnding) {
		return
	}
	if err != nil {
		h.failures.Add(1)
		h.log.Error("history was not written: the file before stays", "state_dir", h.path, "error",
			err)
		return
	}
	h.written.Store(began.UnixMilli())
	h.bytes.Store(size)
	h.took.Store(int64(took))
	level := slog.LevelDebug
	if last {
		level = slog.LevelInfo
	}
	h.log.Log(context.Background(), level, "history was written", "state_dir", h.path, "bytes",
		size, "took", took.Round(time.Millisecond))
}

// close gives the directory up.
func (h *history) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
	h.dir.Close()
}

// age is the seconds since the file was written.
func (h *history) age() float64 {
	written := h.written.Load()
	if written == 0 {
		return math.Inf(1)
	}
	return time.Since(time.UnixMilli(written)).Seconds()
}
