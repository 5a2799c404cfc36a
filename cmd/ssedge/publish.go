package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"ssedge/engine/fanin/redis"
	"ssedge/proto/rule"
)

type publishCmd struct {
	Topic string  `arg:"" help:"Topic to publish to: a name, in which every character counts."`
	Data  *string `arg:"" optional:"" help:"Data of the event; - or nothing reads standard input, without a line end at its end."`

	Event  string         `help:"Event name; without one receivers see 'message'." placeholder:"NAME"`
	Retry  *time.Duration `help:"Also set the receivers' reconnection time, as in 5s." placeholder:"TIME" env:"SSEDGE_PUBLISH_RETRY"`
	Once   string         `help:"Idempotency key: publishing again with it does nothing." placeholder:"KEY"`
	Client clientFlags    `embed:""`

	Redis    string         `help:"Publish to these Redis servers, without an edge." placeholder:"URL" env:"SSEDGE_PUBLISH_REDIS"`
	RedisTLS redis.TLSFiles `embed:""`
	History  historyFlags   `embed:""`

	given []string // flags of the command line
}

// AfterApply keeps which flags were given. What the environment or the file says may be meant for
// other commands.
func (c *publishCmd) AfterApply(ctx *kong.Context) error {
	for _, p := range ctx.Path {
		if p.Flag != nil && !p.Resolved {
			c.given = append(c.given, p.Flag.Name)
		}
	}
	return nil
}

// withoutEffect is the flags that were given in vain: an edge is asked, or Redis.
func (c *publishCmd) withoutEffect() string {
	idle, why := []string{"redis-tls-cert", "redis-tls-key", "redis-tls-ca", "redis-prefix",
		"fan-in", "partitions", "redis-ttl", "history-events", "history-age", "topic-bytes",
		"event-bytes", "key-bytes", "key-ttl"}, "without --redis"
	if c.Redis != "" {
		idle, why = []string{"server", "key", "ca"}, "with --redis"
	}
	var names []string
	for _, name := range slices.Sorted(slices.Values(c.given)) {
		if slices.Contains(idle, name) {
			names = append(names, "--"+name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("Without effect: %s (%s)", strings.Join(slices.Compact(names), ", "), why)
}

// Run publishes one event and prints its id.
func (c *publishCmd) Run() error {
	if idle := c.withoutEffect(); idle != "" {
		fmt.Fprintln(os.Stderr, idle)
	}
	hintAtNames(os.Stderr, "publish to several topics one by one", c.Topic)
	return c.run(os.Stdin, os.Stdout)
}

func (c *publishCmd) run(stdin io.Reader, stdout io.Writer) error {
	var data string
	if c.Data != nil && *c.Data != "-" {
		data = *c.Data
	} else {
		text, err := io.ReadAll(stdin)
		if err != nil {
			return err
		}
		data = withoutLineEnd(string(text))
	}
	limits, publish := rule.Limits{}, c.viaHTTP // without bounds: the edge checks its own
	if c.Redis != "" {
		limits, publish = c.History.Rule, c.viaRedis
	}
	if err := c.check(limits, data); err != nil {
		return err
	}
	id, err := publish(data)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, id)
	return err
}

// withoutLineEnd is text without one LF, CRLF or CR at its end.
func withoutLineEnd(text string) string {
	if text, ok := strings.CutSuffix(text, "\r\n"); ok {
		return text
	}
	if text, ok := strings.CutSuffix(text, "\n"); ok {
		return text
	}
	return strings.TrimSuffix(text, "\r")
}

// check holds an event to the rule of every gate. It comes before the event is put into JSON, which
// would silently change bytes that are not UTF-8.
func (c *publishCmd) check(l rule.Limits, data string) error {
	if err := l.Topic([]byte(c.Topic)); err != nil {
		return err
	}
	if err := l.Key(c.Once); err != nil {
		return err
	}
	if c.Retry != nil {
		if *c.Retry%time.Millisecond != 0 {
			return fmt.Errorf("expected %s, found %v", l.Expected(rule.Retry), *c.Retry)
		}
		if err := l.Retry(c.retryMS()); err != nil {
			return err
		}
	}
	return l.Event([]byte(c.Event), []byte(data), 0)
}

// retryMS is the reconnection time, 0 if there is none.
func (c *publishCmd) retryMS() int64 {
	if c.Retry == nil {
		return 0
	}
	return c.Retry.Milliseconds()
}

const (
	// answerPatience and bodyBytesPerSecond bound a request: what the server takes may be large,
	// and the way to it slow.
	answerPatience     = 30 * time.Second
	bodyBytesPerSecond = 64 << 10
	// jsonBytesMax is what is sent as JSON at once: a body that is refused before its end may break
	// the connection.
	jsonBytesMax = 1 << 20
	// rawQueryMax is a query that every server has room for.
	rawQueryMax = 1 << 10
)

// viaHTTP publishes at an edge, as JSON. What is too long for --body-bytes in JSON, where many
// characters take several bytes, may still fit --event-bytes: it goes as it is, with its name in
// the query, unless that is too long.
func (c *publishCmd) viaHTTP(data string) (id string, _ error) {
	client, base, err := c.Client.connect()
	if err != nil {
		return "", err
	}
	body, err := c.json(data)
	if err != nil {
		return "", err
	}
	query := c.query()
	raw := len(query) <= rawQueryMax
	if !raw || len(body) <= jsonBytesMax {
		id, status, err := c.post(client, base+"/publish", "application/json", body)
		if status != http.StatusRequestEntityTooLarge || !raw {
			return id, err
		}
	}
	id, _, err = c.post(client, base+"/publish?"+query, "application/octet-stream", []byte(data))
	return id, err
}

// json is the event as JSON.
func (c *publishCmd) json(data string) ([]byte, error) {
	message := map[string]any{"topic": c.Topic, "data": data}
	if c.Event != "" {
		message["event"] = c.Event
	}
	if c.Retry != nil {
		message["retry"] = c.retryMS()
	}
	if c.Once != "" {
		message["key"] = c.Once
	}
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false) // <, > and & would take six bytes
	err := e.Encode(message)
	return bytes.TrimSuffix(body.Bytes(), []byte("\n")), err
}

// query is all of the event but its data, for the raw form.
func (c *publishCmd) query() string {
	q := url.Values{"topic": {c.Topic}}
	if c.Event != "" {
		q.Set("event", c.Event)
	}
	if c.Retry != nil {
		q.Set("retry", strconv.FormatInt(c.retryMS(), 10))
	}
	if c.Once != "" {
		q.Set("key", c.Once)
	}
	return q.Encode()
}

// post sends the event and returns its id, or the status with which it was refused.
func (c *publishCmd) post(client *http.Client, to, media string, body []byte) (id string,
	status int, _ error) {
	client.Timeout = answerPatience + time.Duration(len(body)/bodyBytesPerSecond)*time.Second
	r, err := http.NewRequest(http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return "", 0, err
	}
	r.Header.Set("Content-Type", media)
	c.Client.authorize(r)
	got, err := client.Do(r)
	if err != nil {
		return "", 0, untrusted(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(io.LimitReader(got.Body, 1<<20))
	if err != nil {
		return "", 0, err
	}
	var said struct{ ID string }
	if err := json.Unmarshal(text, &said); err != nil || got.StatusCode != http.StatusOK ||
		said.ID == "" {
		err := refusal(got.Status, text)
		if got.StatusCode == http.StatusUnauthorized && slices.Contains(c.given, "key") &&
			c.Once == "" {
			err = fmt.Errorf("%w (--key is the bearer key; the idempotency key is --once)", err)
		}
		return "", got.StatusCode, err
	}
	return said.ID, got.StatusCode, nil
}
