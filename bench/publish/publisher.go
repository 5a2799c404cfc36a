package publish

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"golang.org/x/sys/unix"

	"ssedge/bench/load"
	"ssedge/bench/mark"
	"ssedge/bench/template"
)

const (
	dialTimeout   = 10 * time.Second
	answerTimeout = 30 * time.Second
	// restMax is how long a connection may rest before it is looked at whether the server has
	// closed it.
	restMax = time.Second
	// leaveTimeout is how long an answer may take when the run's context has ended: it tells
	// whether the event counts.
	leaveTimeout = time.Second
)

// Config says where and how events are published.
type Config struct {
	URL         string   // template; http:// or https://
	Method      string   // "": POST
	Headers     []string // each "Name: value", a template
	Body        string   // template
	Run         string
	Topics      int // 0: one
	TopicFirst  int
	Payload     int // bytes; at least mark.Bytes
	Batch       int // bodies in one request, one below the other; 0: one
	Connections int // 0: one
	// the connections share all topics, each with numbers of its own: so many lanes
	Shared      bool
	Nice        int // of the connections' threads
	AllowRemote bool
}

// Publisher publishes to a few topics. Runs follow each other; numbers go on from run to run.
type Publisher struct {
	config  Config
	method  string
	secure  bool
	address string
	server  string // name, for TLS
	url     template.Template
	head    template.Template
	body    template.Template
	lanes   int
	counts  []counts // of topic t in lane l at t*lanes+l
	senders []*sender
}

// Check says whether a configuration is one.
func (c Config) Check() error {
	_, err := c.parse()
	return err
}

func (c Config) parse() (*Publisher, error) {
	c.Topics, c.Batch, c.Connections = max(1, c.Topics), max(1, c.Batch), max(1, c.Connections)
	p := &Publisher{config: c, method: c.Method}
	if p.method == "" {
		p.method = http.MethodPost
	}
	if c.Payload < mark.Bytes {
		return nil,
			fmt.Errorf("expected a payload of at least %d bytes, found %d: the number and the time of the event are in it",
				mark.Bytes, c.Payload)
	}
	rest, secure := strings.CutPrefix(c.URL, "https://")
	if !secure {
		var plain bool
		if rest, plain = strings.CutPrefix(c.URL, "http://"); !plain {
			return nil, fmt.Errorf("%q: expected a URL that begins with http:// or https://", c.URL)
		}
	}
	rest, _, _ = strings.Cut(rest, "#") // as subscribing does
	host, path := rest, "/"
	if at := strings.IndexAny(rest, "/?"); at >= 0 {
		host, path = rest[:at], rest[at:]
		if path[0] == '?' {
			path = "/" + path
		}
	}
	if strings.ContainsAny(path, " \t\r\n") {
		return nil, fmt.Errorf("%q: expected a URL without blanks: write %%20", c.URL)
	}
	named := host
	if secure && (&url.URL{Host: host}).Port() == "" {
		named += ":443"
	}
	to, err := load.Resolve(named, c.AllowRemote)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.URL, err)
	}
	p.secure, p.address, p.server = secure, to.String(), (&url.URL{Host: host}).Hostname()
	if !method.MatchString(p.method) {
		return nil, fmt.Errorf("expected a method such as POST, found %q", p.method)
	}
	fields, err := load.Fields(c.Headers, "Host: "+host)
	if err != nil {
		return nil, err
	}
	head := " HTTP/1.1\r\n" + fields
	for _, part := range []struct {
		to   *template.Template
		text string
	}{{&p.url, path}, {&p.head, head}, {&p.body, c.Body}} {
		if *part.to, err = template.Parse(part.text); err != nil {
			return nil, err
		}
		if part.to.Has(template.Stream) {
			return nil, fmt.Errorf("%q: expected no {stream} in a publish: it is a subscriber's",
				part.text)
		}
	}
	if !p.body.Has(template.Payload) && !p.url.Has(template.Payload) {
		return nil,
			errors.New("expected {payload} in the body or the URL of a publish: without it nothing can be checked or timed")
	}
	if p.config.Batch > 1 && !p.body.Has(template.Payload) {
		return nil,
			errors.New("expected {payload} in the body: a batch has one body for each event")
	}
	p.lanes = 1
	if c.Shared {
		p.lanes = c.Connections
	}
	if most := (c.TopicFirst + c.Topics) * p.lanes; most > mark.TopicsMax {
		return nil,
			fmt.Errorf("expected at most %d topics times connections that share them, found %d",
				mark.TopicsMax, most)
	}
	p.counts = make([]counts, c.Topics*p.lanes)
	return p, nil
}

var method = regexp.MustCompile(`^[A-Za-z]+$`)

// New connects.
func New(ctx context.Context, c Config) (*Publisher, error) {
	p, err := c.parse()
	if err != nil {
		return nil, err
	}
	n := p.config.Connections
	if !c.Shared {
		n = min(n, p.config.Topics)
	}
	for i := range n {
		s := &sender{publisher: p, index: i, count: n, lane: i % p.lanes, late: newHistogram(),
			answer: newHistogram()}
		if err := s.dial(ctx); err != nil {
			p.Close()
			return nil, err
		}
		p.senders = append(p.senders, s)
	}
	return p, nil
}

// Close ends the connections.
func (p *Publisher) Close() {
	for _, s := range p.senders {
		if s.conn != nil {
			s.conn.Close()
		}
	}
}

// Published is what each topic has had so far.
func (p *Publisher) Published() []load.Published {
	all := make([]load.Published, p.config.Topics)
	for i := range p.counts {
		of := &all[i/p.lanes]
		of.Highest = append(of.Highest, p.counts[i].next.Load())
		of.Sure += p.counts[i].sure.Load()
		of.Maybe += p.counts[i].maybe.Load()
	}
	return all
}

// exchange writes a request and reads the whole answer. A status other than 2xx is a *StatusError.
func (s *sender) exchange(ctx context.Context, request []byte) error {
	conn := s.conn
	conn.SetDeadline(time.Now().Add(answerTimeout))
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Now().Add(leaveTimeout)) })()
	_, unwritten := s.conn.Write(request) // a server may refuse before it has read all, and say why
	answer, err := http.ReadResponse(s.reader, s.asked)
	if unwritten != nil && (err != nil || answer.StatusCode/100 == 2) {
		return unwritten
	}
	for err == nil && answer.StatusCode/100 == 1 { // the answer is still to come (RFC 9110, 15.2)
		answer, err = http.ReadResponse(s.reader, s.asked)
	}
	if err != nil {
		return err
	}
	var said []byte
	if answer.StatusCode/100 != 2 {
		said, _ = io.ReadAll(io.LimitReader(answer.Body, 200))
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil && unwritten == nil {
		return err
	}
	answer.Body.Close()
	if answer.Close || unwritten != nil {
		s.conn.Close()
		s.conn = nil
	}
	if answer.StatusCode/100 != 2 {
		return &StatusError{printable(answer.Status), printable(string(said))}
	}
	return nil
}

// printable is a text on one line, without what could steer a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '.'
		}
		return r
	}, strings.Join(strings.Fields(text), " "))
}

// StatusError is an answer that says the event was not taken.
type StatusError struct{ Status, Said string }

func (e *StatusError) Error() string {
	return fmt.Sprintf("expected status 2xx, found %s: %s", e.Status, e.Said)
}

// closedWhileIdle reports whether a connection on which nothing has been sent for a while is gone:
// servers close those.
func (s *sender) closedWhileIdle() (gone bool) {
	if time.Since(s.used) < restMax {
		return false
	}
	conn := s.conn
	secured, secure := conn.(*tls.Conn)
	if secure {
		conn = secured.NetConn()
	}
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return true
	}
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		// TLS has messages of its own
		gone = err == nil && (n == 0 || !secure) || err != nil && err != unix.EAGAIN
	})
	return gone || err != nil
}

func (s *sender) dial(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", s.publisher.address)
	if err != nil {
		return err
	}
	if s.publisher.secure {
		secured := tls.Client(conn,
			&tls.Config{ServerName: s.publisher.server, NextProtos: []string{"http/1.1"}})
		if err := secured.HandshakeContext(ctx); err != nil {
			conn.Close()
			return fmt.Errorf("TLS with %s: %w", s.publisher.address, err)
		}
		conn = secured
	}
	s.conn, s.reader, s.used = conn, bufio.NewReader(conn), time.Now()
	s.asked = &http.Request{Method: s.publisher.method} // what ReadResponse must know
	return nil
}

// appendRequest appends a request with n events numbered from seq on.
func (s *sender) appendRequest(b []byte, number int, seq, n uint32, due mark.Time) []byte {
	p := s.publisher
	v := template.Values{Topic: p.config.TopicFirst + number, Run: p.config.Run,
		Now: time.Now().UnixMilli()}
	s.body = s.body[:0]
	for i := range n {
		s.payload = mark.Append(s.payload[:0], mark.Mark{Topic: uint32(v.Topic*p.lanes + s.lane),
			Seq: seq + i, Due: due}, p.config.Payload)
		v.Payload = s.payload
		if i > 0 {
			s.body = append(s.body, '\n')
		}
		s.body = p.body.Append(s.body, &v)
	}
	b = append(b, p.method...)
	b = append(b, ' ')
	b = p.url.Append(b, &v)
	b = p.head.Append(b, &v)
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, int64(len(s.body)), 10)
	b = append(b, "\r\n\r\n"...)
	return append(b, s.body...)
}
