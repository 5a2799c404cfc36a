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
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"ssedge/proto/rule"
	"ssedge/proto/sse"
)

type subscribeCmd struct {
	Topic []string `arg:"" help:"Topics to follow: names, in which every character counts. Several are arguments of their own."`

	LastEventID string      `name:"last-event-id" help:"Resume after this id; 'earliest' begins with all history." placeholder:"ID"`
	Count       int         `help:"End after this many events; 0: never." default:"0"`
	JSON        bool        `help:"Print each event as a line of JSON."`
	Quiet       bool        `help:"Do not report connections and reconnections on standard error." short:"q"`
	Client      clientFlags `embed:""`
}

// follower keeps what outlives a connection: what a browser's EventSource keeps.
type follower struct {
	cmd     *subscribeCmd
	client  *http.Client
	base    string // of the server's URLs
	decoder sse.Decoder
	out     *bufio.Writer
	events  int
	opened  bool // a stream was open once
	retry   time.Duration
}

// fatal is an answer after which an EventSource does not come back (WHATWG HTML
// 9.2.3, "fail the connection").
type fatal struct{ error }

// busy is an answer that says when to come back.
type busy struct {
	error
	after time.Duration
}

// Run follows the topics until interrupted, and reconnects like a browser: after
// the time the server told, with the last id, unless the answer is final.
func (c *subscribeCmd) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	for _, topic := range c.Topic {
		if err := (rule.Limits{}).Topic([]byte(topic)); err != nil {
			return err
		}
	}
	if c.Count < 0 {
		return fmt.Errorf("--count: expected 0 or more, found %d", c.Count)
	}
	if !utf8.ValidString(c.LastEventID) || strings.ContainsFunc(c.LastEventID, unicode.IsControl) {
		return fmt.Errorf("--last-event-id: expected an id, found %s",
			rule.Quote([]byte(c.LastEventID)))
	}
	if !c.Quiet {
		hintAtNames(os.Stderr, "several are arguments of their own", c.Topic...)
	}
	client, base, err := c.Client.connect()
	if err != nil {
		return err
	}
	f := &follower{cmd: c, client: client, base: base, out: bufio.NewWriter(os.Stdout),
		retry: 3 * time.Second}
	// Whatever a server may be set to send; the rest of a line is its field's name.
	f.decoder.LineBytesMax, f.decoder.EventBytesMax = rule.EventBytesMax+len("data: "),
		rule.EventBytesMax
	f.decoder.Reset(c.LastEventID)
	var last error // why there is no stream
	for {
		err := f.connect(ctx)
		var final fatal
		switch {
		case err == errEnough:
			return nil
		case ctx.Err() != nil:
			return f.interrupted(last)
		case errors.As(err, &final):
			return err
		}
		wait := f.retry
		if later := (busy{}); errors.As(err, &later) {
			wait = max(wait, later.after)
		}
		f.report("%v; again in %v", err, wait)
		last = err
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return f.interrupted(last)
		}
	}
}

// interrupted is no error for one that follows, and one for what was asked for and did not come.
func (f *follower) interrupted(last error) error {
	switch {
	case !f.opened && last != nil:
		return fmt.Errorf("interrupted before a stream was open: %w", last)
	case !f.opened:
		return errors.New("interrupted before a stream was open")
	case f.events < f.cmd.Count:
		return fmt.Errorf("interrupted after %d of %d events", f.events, f.cmd.Count)
	}
	return nil
}

// retryMax is the longest that a server can have a client wait, by retry: or by Retry-After.
const retryMax = 24 * time.Hour

// retryAfter is how long the header field has a client wait.
func retryAfter(field string) time.Duration {
	seconds, _ := strconv.Atoi(field) // of one with too many digits, the most or the least there is
	return time.Duration(min(max(seconds, 0), int(retryMax/time.Second))) * time.Second
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
	got, err := f.client.Do(r)
	if err != nil {
		return untrusted(err)
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(got.Body, 4096))
		err := refusal(got.Status, text)
		if got.StatusCode == http.StatusServiceUnavailable {
			// kinder than a browser, which would give up
			return busy{err, retryAfter(got.Header.Get("Retry-After"))}
		}
		return fatal{err}
	}
	if media, _, _ := mime.ParseMediaType(
		got.Header.Get("Content-Type")); media != "text/event-stream" {
		return fatal{fmt.Errorf("expected text/event-stream, found %q",
			got.Header.Get("Content-Type"))}
	}
	f.opened = true
	f.report("following %s", strings.Join(f.cmd.Topic, ", "))
	return f.read(got.Body)
}

func (f *follower) request(ctx context.Context) (*http.Request, error) {
	q := url.Values{"topic": f.cmd.Topic}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.base+"/events?"+q.Encode(), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Cache-Control", "no-store")
	if id := f.decoder.LastEventID(); id != "" {
		r.Header.Set("Last-Event-ID", id)
	}
	f.cmd.Client.authorize(r)
	return r, nil
}

func (f *follower) read(body io.Reader) error {
	f.decoder.Reset(f.decoder.LastEventID())
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		done := false
		if bad := f.decoder.Feed(buf[:n],
			func(m sse.Message) { done = f.print(m) || done }); bad != nil {
			return fatal{errors.Join(bad, f.out.Flush())}
		}
		if bad := f.out.Flush(); bad != nil { // what was not printed must not count as delivered
			return fatal{bad}
		}
		if ms, ok := f.decoder.RetryMS(); ok {
			f.retry = time.Duration(min(ms, int64(retryMax/time.Millisecond))) * time.Millisecond
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

// print writes an event and reports whether it was the last one wanted. It skips the server's own
// events, which are about the stream and belong to no topic.
func (f *follower) print(m sse.Message) bool {
	if m.Event == "ssedge" {
		return false
	}
	if f.cmd.Count > 0 && f.events >= f.cmd.Count {
		return true
	}
	f.events++
	if f.cmd.JSON {
		line, _ := json.Marshal(map[string]string{"id": m.LastEventID, "event": m.Event,
			"data": m.Data})
		fmt.Fprintf(f.out, "%s\n", line)
	} else {
		name := ""
		if m.Event != "message" {
			name = m.Event + ": "
		}
		fmt.Fprintf(f.out, "%s\t%s%s\n", m.LastEventID, printable(name),
			strings.ReplaceAll(printable(m.Data), "\n", "\n\t"))
	}
	return f.cmd.Count > 0 && f.events >= f.cmd.Count
}

// printable shows control characters, by which a publisher could steer the terminal,
// instead of sending them there.
func printable(text string) string {
	if !strings.ContainsFunc(text, isControl) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if isControl(r) {
			fmt.Fprintf(&b, "\\u%04x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isControl(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
