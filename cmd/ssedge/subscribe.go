package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"ssedge/proto/sse"
)

type subscribeCmd struct {
	Topic []string `arg:"" help:"Topics to follow."`

	Server      string `help:"The server's address." default:"http://127.0.0.1:8080" placeholder:"URL"`
	Key         string `help:"Bearer key, for topics that are not public." placeholder:"KEY"`
	LastEventID string `name:"last-event-id" help:"Go on after this id." placeholder:"ID"`
	Count       int    `help:"End after this many events; 0: never." default:"0"`
	JSON        bool   `help:"Print each event as a line of JSON."`
	Quiet       bool   `help:"Do not report connections and reconnections on standard error." short:"q"`
}

// follower keeps what outlives a connection: what a browser's EventSource keeps.
type follower struct {
	cmd     *subscribeCmd
	decoder sse.Decoder
	out     *bufio.Writer
	events  int
	retry   time.Duration
}

// fatal is an answer after which an EventSource does not come back (WHATWG HTML
// 9.2.3, "fail the connection").
type fatal struct{ error }

// Run follows the topics until interrupted, and reconnects like a browser: after
// the time the server told, with the last id, unless the answer is final.
func (c *subscribeCmd) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	f := &follower{cmd: c, out: bufio.NewWriter(os.Stdout), retry: 3 * time.Second}
	f.decoder.Reset(c.LastEventID)
	for {
		err := f.connect(ctx)
		f.out.Flush()
		var final fatal
		switch {
		case ctx.Err() != nil || err == errEnough:
			return nil
		case errors.As(err, &final):
			return err
		}
		f.report("%v; again in %v", err, f.retry)
		select {
		case <-time.After(f.retry):
		case <-ctx.Done():
			return nil
		}
	}
}

var errEnough = errors.New("enough events")

func (f *follower) report(format string, args ...any) {
	if !f.cmd.Quiet {
		fmt.Fprintf(os.Stderr, "ssedge: "+format+"\n", args...)
	}
}

// connect follows one connection to its end.
func (f *follower) connect(ctx context.Context) error {
	r, err := f.request(ctx)
	if err != nil {
		return fatal{err}
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(got.Body, 4096))
		err := fmt.Errorf("%s: %s", got.Status, strings.TrimSpace(string(text)))
		if got.StatusCode == http.StatusServiceUnavailable { // kinder than a browser, which would give up
			return err
		}
		return fatal{err}
	}
	if media, _, _ := mime.ParseMediaType(got.Header.Get("Content-Type")); media != "text/event-stream" {
		return fatal{fmt.Errorf("expected text/event-stream, found %q", got.Header.Get("Content-Type"))}
	}
	f.report("following %s", strings.Join(f.cmd.Topic, ", "))
	return f.read(got.Body)
}

func (f *follower) request(ctx context.Context) (*http.Request, error) {
	q := url.Values{"topic": f.cmd.Topic}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(f.cmd.Server, "/")+"/events?"+q.Encode(), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Cache-Control", "no-store")
	if id := f.decoder.LastEventID(); id != "" {
		r.Header.Set("Last-Event-ID", id)
	}
	if f.cmd.Key != "" {
		r.Header.Set("Authorization", "Bearer "+f.cmd.Key)
	}
	return r, nil
}

func (f *follower) read(body io.Reader) error {
	f.decoder.Reset(f.decoder.LastEventID())
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		done := false
		if bad := f.decoder.Feed(buf[:n], func(m sse.Message) { done = f.print(m) || done }); bad != nil {
			return fatal{bad}
		}
		f.out.Flush()
		if ms, ok := f.decoder.RetryMS(); ok {
			f.retry = time.Duration(ms) * time.Millisecond
		}
		switch {
		case done:
			return errEnough
		case err == io.EOF:
			return errors.New("the server ended the connection")
		case err != nil:
			return err
		}
	}
}

// print writes an event and reports whether it was the last wanted.
func (f *follower) print(m sse.Message) bool {
	if f.cmd.Count > 0 && f.events >= f.cmd.Count {
		return true
	}
	f.events++
	if f.cmd.JSON {
		line, _ := json.Marshal(map[string]string{"id": m.LastEventID, "event": m.Event, "data": m.Data})
		fmt.Fprintf(f.out, "%s\n", line)
	} else {
		name := ""
		if m.Event != "message" {
			name = m.Event + ": "
		}
		fmt.Fprintf(f.out, "%s\t%s%s\n", m.LastEventID, name, strings.ReplaceAll(m.Data, "\n", "\n\t"))
	}
	return f.cmd.Count > 0 && f.events >= f.cmd.Count
}
