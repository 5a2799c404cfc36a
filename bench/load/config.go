package load

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ssedge/bench/template"
)

// Defaults of a Config.
const (
	InFlightDefault    = 256
	OpenTimeoutDefault = 30 * time.Second
)

// Config says what a Client connects to. Only Subscribe is needed. It is plain data: it is sent to
// worker processes.
type Config struct {
	Subscribe  string   // URL template, http:// only
	Headers    []string // of the request, each "Name: value", a template
	Topics     int      // stream number i is on topic TopicFirst + i mod Topics; 0: one
	TopicFirst int
	// publishers that share the topics, each with numbers of its own; 0: one
	Lanes   int
	Run     string // {run} in the templates
	Threads int    // 0: one
	// connections without an answer yet, over all threads; 0: InFlightDefault
	InFlight    int
	OpenTimeout time.Duration // for the response head; 0: OpenTimeoutDefault
	Retry       time.Duration // after which a stream that did not open tries again; 0: never
	Payload     int           // bytes of an event's data: what is shorter was damaged; 0: any
	KeepIDs     bool          // remember each stream's last id, so that it can be resumed
	Slow        Slow
	// of the threads; raising the priority takes privilege, without which it stays as it is
	Nice        int
	AllowRemote bool // connect to addresses beyond loopback
}

// Slow makes some of the streams bad readers.
type Slow struct {
	Share float64       // of the streams, of each topic if it has enough of them; 0 to 1
	Bytes int           // read at a time; 0: they never read
	Pause time.Duration // between two reads
}

// slow reports whether a stream is one of the bad readers. They are spread evenly over the streams
// of each topic: on a circle of 2^32 places each stream is a step further, and those within a step
// of the start are slow. Topics begin at places that the golden ratio keeps apart, so that of many
// small ones not all have a slow stream, or none.
func (p *plan) slow(number int32) bool {
	const circle, golden = 1 << 32, 0x9e3779b9
	nth, topic := uint64(number)/uint64(p.Topics), uint64(number)%uint64(p.Topics)
	step := uint64(math.Round(p.Slow.Share * circle))
	return (nth*step+topic*golden)%circle < step
}

// plan is a Config, checked and parsed.
type plan struct {
	Config
	address netip.AddrPort
	request template.Template // everything before Last-Event-ID
}

// Check says what is wrong with it, without connecting.
func (c Config) Check() error {
	_, err := c.plan()
	return err
}

func (c Config) plan() (*plan, error) {
	p := &plan{Config: c}
	if p.Topics <= 0 {
		p.Topics = 1
	}
	if p.Lanes <= 0 {
		p.Lanes = 1
	}
	if p.Threads <= 0 {
		p.Threads = 1
	}
	if p.InFlight <= 0 {
		p.InFlight = InFlightDefault
	}
	if p.OpenTimeout <= 0 {
		p.OpenTimeout = OpenTimeoutDefault
	}
	host, target, err := splitURL(c.Subscribe)
	if err != nil {
		return nil, err
	}
	if p.address, err = Resolve(host, c.AllowRemote); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Subscribe, err)
	}
	fields, err := Fields(c.Headers, "Host: "+host, "Accept: text/event-stream",
		"Cache-Control: no-cache")
	if err != nil {
		return nil, err
	}
	if p.request, err = template.Parse("GET " + target + " HTTP/1.1\r\n" + fields); err != nil {
		return nil, err
	}
	if p.request.Has(template.Payload) {
		return nil,
			fmt.Errorf("%s: expected no {payload} in what a subscriber sends: it is a publisher's",
				c.Subscribe)
	}
	return p, nil
}

// splitURL takes a URL template apart without touching the names in it.
func splitURL(text string) (host, target string, err error) {
	rest, ok := strings.CutPrefix(text, "http://")
	if !ok {
		return "", "",
			fmt.Errorf("%q: expected a URL that begins with http://; for a server behind TLS, that of the server itself",
				text)
	}
	if strings.ContainsAny(rest, " \t\r\n") {
		return "", "", fmt.Errorf("%q: expected a URL without blanks: write %%20", text)
	}
	rest, _, _ = strings.Cut(rest, "#")
	at := strings.IndexAny(rest, "/?")
	if at < 0 {
		return rest, "/", nil
	}
	host, target = rest[:at], rest[at:]
	if target[0] == '?' {
		target = "/" + target
	}
	return host, target, nil
}

// Resolve returns the address to connect to for host or host:port. Addresses beyond loopback are
// refused unless they are allowed: a load tool must not be pointed at a foreign host by a typing
// error.
func Resolve(host string, allowRemote bool) (netip.AddrPort, error) {
	u, err := url.Parse("http://" + host)
	if err != nil || u.Host == "" || u.User != nil {
		return netip.AddrPort{}, fmt.Errorf("expected host or host:port, found %q", host)
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		return netip.AddrPort{}, err
	}
	addresses, err := net.LookupIP(u.Hostname())
	if err != nil {
		return netip.AddrPort{}, err
	}
	best, _ := netip.AddrFromSlice(addresses[0])
	for _, a := range addresses {
		// servers listen on IPv4 more often, and its loopback has many addresses
		if four := a.To4(); four != nil {
			best, _ = netip.AddrFromSlice(four)
			break
		}
	}
	best = best.Unmap()
	if !best.IsLoopback() && !allowRemote {
		return netip.AddrPort{},
			fmt.Errorf("%s (%v) is not on this machine: --allow-remote is needed to put load on other hosts",
				u.Hostname(), best)
	}
	return netip.AddrPortFrom(best, uint16(number)), nil
}

// Fields are header lines, with their line ends, behind those of usual that none of them has the
// name of. Lines that say where a message ends are refused: the tool writes them itself.
func Fields(lines []string, usual ...string) (string, error) {
	var own, text strings.Builder
	set := make(map[string]bool)
	for _, line := range lines {
		name, _, found := strings.Cut(line, ":")
		if !found || name == "" || strings.ContainsAny(name, " \t") ||
			strings.ContainsAny(line, "\r\n") {
			return "", fmt.Errorf("expected a header as 'Name: value', found %q", line)
		}
		switch name = strings.ToLower(name); name {
		case "content-length", "transfer-encoding", "connection", "last-event-id":
			return "",
				fmt.Errorf("expected another header than %q: that is for the tool itself to say",
					line)
		}
		set[name] = true
		own.WriteString(line + "\r\n")
	}
	for _, line := range usual {
		if name, _, _ := strings.Cut(line, ":"); !set[strings.ToLower(name)] {
			text.WriteString(line + "\r\n")
		}
	}
	return text.String() + own.String(), nil
}

func (p *plan) topicOf(number int32) int { return p.TopicFirst + int(number)%p.Topics }

// appendRequest appends the request of a stream. lastID is what it resumes after; "" if nothing.
func (p *plan) appendRequest(b []byte, number int32, lastID string) []byte {
	b = p.request.Append(b, &template.Values{Topic: p.topicOf(number), Stream: int(number),
		Now: time.Now().UnixMilli(), Run: p.Run})
	if lastID != "" {
		b = append(b, "Last-Event-ID: "...)
		b = append(b, lastID...)
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...)
}

// sockaddr is what connect(2) takes. Each thread needs its own: connect writes into it.
func (p *plan) sockaddr() (family int, to unix.Sockaddr) {
	a := p.address.Addr()
	if a.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(p.address.Port()), Addr: a.As4()}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: int(p.address.Port()), Addr: a.As16()}
}
