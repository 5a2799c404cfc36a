package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ssedge/engine"
)

// TestChurn is what hand-overs must stand: while 64 clients connect, ask and reset their
// connections, in every order and with heads cut anywhere, no client is left waiting, none sees
// bytes of another, and nothing remains.
func TestChurn(t *testing.T) {
	for name, wire := range wires {
		t.Run(name, func(t *testing.T) { churn(t, wire) })
	}
}

// wires is how a node is made to send streams, and how they are asked for, by the name of each
// wire. A later one is a row.
var wires = map[string]struct {
	change func(*engine.Config)
	poll   string
}{"raw": {}, "chunk": {change: chunked}, "answer": {poll: "30s"}}

func churn(t *testing.T, wire struct {
	change func(*engine.Config)
	poll   string
}) {
	n := startNode(t, func(c *engine.Config) {
		c.Heartbeat = 50 * time.Millisecond // timers of clients that are gone must be gone, too
		if wire.change != nil {
			wire.change(c)
		}
	})
	times, threads := pick(rounds(40_000, 100_000), 5_000, 2_000)/len(wires), 64

	clients := make([]*churner, threads)
	for i := range clients {
		clients[i] = newChurner(t, n, i, wire.poll)
	}
	n.awaitStreams(t, 0)
	n.http.CloseIdleConnections()
	settled(t, "self")
	before := fileNames("self")

	steady := make([]*stream, 8)
	for i := range steady {
		steady[i] = n.opened(t, ask{topics: []string{"steady"}})
	}
	var left atomic.Int64
	left.Store(int64(times))
	var storm, watch sync.WaitGroup
	for _, c := range clients {
		storm.Go(func() {
			for i := left.Add(-1); i >= 0; i = left.Add(-1) {
				if err := c.round(int(i)); err != nil {
					t.Errorf("round %d (%s): %v", i, kindOf(int(i)), err)
					left.Store(0)
					return
				}
			}
		})
	}
	// Meanwhile clients that stay get everything, and clients that come are served.
	events := pick(300, 100, 50)
	published := make([]event, 0, events)
	watch.Go(func() {
		for i := range events {
			data := strconv.Itoa(i)
			id, err := n.post("steady", data)
			if err != nil {
				t.Errorf("publishing during the storm: %v", err)
				return
			}
			published = append(published, event{id, data})
			st, err := n.dial(ask{topics: []string{"steady"}})
			if err == nil {
				err = st.opening()
				st.reset()
			}
			if err != nil {
				t.Errorf("coming during the storm: %v", err)
				return
			}
		}
	})
	watch.Wait()
	storm.Wait()
	if t.Failed() {
		return
	}
	for i, st := range steady {
		got, err := st.take(events)
		if err == nil {
			_, _, err = follows(published, got)
		}
		if err != nil {
			t.Errorf("client %d, which stayed: %v", i, err)
		}
		st.reset()
	}

	await(t, "no stream and no connection", func() (bool, string) {
		m := n.metrics(t)
		n.http.CloseIdleConnections()
		streams, others := total(m, "ssedge_streams")+float64(n.engine.Streams()),
			m[`ssedge_connections{state="head"}`]+m[`ssedge_connections{state="idle"}`]+
				m[`ssedge_connections{state="http"}`]
		accepted, closed := total(m, "ssedge_streams_accepted_total"),
			total(m, "ssedge_streams_closed_total")
		return streams == 0 && others == 0 && accepted == closed,
			fmt.Sprintf("%v streams, %v others; %v accepted, %v closed", streams, others, accepted,
				closed)
	})
	m := n.metrics(t)
	n.http.CloseIdleConnections()
	if accepted := total(m, "ssedge_streams_accepted_total"); accepted < float64(times)/2 {
		t.Errorf("%v streams accepted in %d rounds", accepted, times)
	}
	if subs := total(m, "ssedge_subscriptions"); subs != 0 {
		t.Errorf("%v subscriptions are left", subs)
	}
	await(t, "no open file that was not there before", func() (bool, string) {
		left := added(before, fileNames("self"))
		return len(left) == 0, fmt.Sprint(left)
	})
}

// fileNames counts a process's open files by what they are: a socket has a number
// of its own. Files that are let go meanwhile cannot hide a leak.
func fileNames(pid string) map[string]int {
	names := map[string]int{}
	fds, _ := filepath.Glob("/proc/" + pid + "/fd/*")
	for _, fd := range fds {
		if name, err := os.Readlink(fd); err == nil {
			names[name]++
		}
	}
	return names
}

// added returns the names of which there are more in now than in before.
func added(before, now map[string]int) (names []string) {
	for name, n := range now {
		if n > before[name] {
			names = append(names, name)
		}
	}
	return names
}

// settled returns the number of a process's open files once it no longer changes.
func settled(t *testing.T, pid string) (files int) {
	same := 0
	await(t, "a steady number of open files", func() (bool, string) {
		now := openFiles(t, pid)
		if same++; now != files {
			files, same = now, 0
		}
		return same == 20, fmt.Sprint(now)
	})
	return files
}

// churner is one of the clients. It has a topic of its own, whose only event it
// asks for: that must be sent to it, and to no other client.
type churner struct {
	addr   string
	head   string
	answer []byte // all data lines that it is sent, the opening's and its event's
	buf    []byte
}

func newChurner(t *testing.T, n *node, number int, poll string) *churner {
	topic := fmt.Sprintf("own-%d", number)
	first := n.publish(t, topic, "seen")
	n.publish(t, topic, topic+".")
	a := ask{topics: []string{topic}, after: first, inQuery: number%2 == 0, poll: poll}
	answer := `data: {"state":"resumed","heartbeat":50}` + "\ndata: " + topic + ".\n"
	return &churner{addr: n.addr, head: a.head(), answer: []byte(answer), buf: make([]byte, 4096)}
}

// The kinds of rounds, weighted by how often they stand here.
var kinds = strings.Fields("whole whole whole whole whole whole whole deaf deaf deaf deaf cut cut cut cut torn torn silent kept quit")

func kindOf(i int) string { return kinds[i%len(kinds)] }

// round is one connection's life.
func (c *churner) round(i int) error {
	conn, err := net.Dial("tcp", c.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.(*net.TCPConn).SetLinger(0)
	conn.SetDeadline(time.Now().Add(patience))
	cut := 1 + i/len(kinds)%(len(c.head)-1)
	switch kindOf(i) {
	case "whole": // asks and is served
		return c.say(conn, c.head).served()
	case "deaf": // asks and is gone
		return c.say(conn, c.head).err
	case "cut": // asks in two pieces
		return c.say(conn, c.head[:cut]).say(conn, c.head[cut:]).served()
	case "torn": // is gone between the two
		return c.say(conn, c.head[:cut]).err
	case "kept": // asks for something else first, on the same connection
		return c.say(conn, "HEAD /events HTTP/1.1\r\nHost: localhost\r\n\r\n").answered().
			say(conn, c.head).served()
	case "quit": // is gone after that
		return c.say(conn, "HEAD /events HTTP/1.1\r\nHost: localhost\r\n\r\n").answered().err
	}
	return nil // connects and is gone
}

// talk is a conversation up to its first error.
type talk struct {
	c    *churner
	conn net.Conn
	err  error
}

func (c *churner) say(conn net.Conn, text string) *talk { return (&talk{c: c}).say(conn, text) }

func (k *talk) say(conn net.Conn, text string) *talk {
	k.conn = conn
	if k.err == nil {
		_, k.err = io.WriteString(conn, text)
	}
	return k
}

// answered reads one answer without a body.
func (k *talk) answered() *talk {
	k.until([]byte("\r\n\r\n"))
	return k
}

// served reads until the client's own event has come.
func (k *talk) served() error {
	own := k.c.answer[bytes.LastIndex(k.c.answer, dataField):]
	got := k.until(own)
	if k.err == nil && !bytes.Equal(dataLines(got), k.c.answer) {
		k.err = fmt.Errorf("bytes of another: %q", got)
	}
	return k.err
}

var dataField = []byte("data: ")

// dataLines returns the lines of data in what was received.
func dataLines(got []byte) (lines []byte) {
	for line := range bytes.Lines(got) {
		if bytes.HasPrefix(line, dataField) {
			lines = append(lines, line...)
		}
	}
	return lines
}

func (k *talk) until(mark []byte) []byte {
	have := 0
	for k.err == nil && !bytes.Contains(k.c.buf[:have], mark) {
		if have == len(k.c.buf) {
			k.err = errors.New("too long an answer")
			break
		}
		var n int
		n, k.err = k.conn.Read(k.c.buf[have:])
		have += n
	}
	if k.err != nil {
		k.err = fmt.Errorf("left waiting for %q with %q: %w", mark, k.c.buf[:have], k.err)
	}
	return k.c.buf[:have]
}
