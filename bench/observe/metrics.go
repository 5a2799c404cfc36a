package observe

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Source is where a server's costs are read.
type Source interface {
	CPU() (time.Duration, error) // user and system time since its start
	PSS() (int64, error)         // bytes
	Peak() (int64, error)        // bytes, since Settle
	Settle() error
}

// Metrics reads them from a Prometheus page, as ssedge's admin listener has one: for servers
// elsewhere. Memory is the resident set then: only the machine itself knows more. A page that does
// not answer in time once is not asked again: a run must not wait for it at each of its readings.
type Metrics struct {
	URL    string
	Trust  *tls.Config // for https; nil: the system's certificates
	once   sync.Once
	client *http.Client
	mu     sync.Mutex
	gone   error
}

// client goes where it is told, and nowhere else.
func client(trust *tls.Config) *http.Client {
	return &http.Client{
		Timeout:   2 * time.Second,
		Transport: &http.Transport{Proxy: nil, TLSClientConfig: trust},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

func (m *Metrics) CPU() (time.Duration, error) {
	v, err := m.read("process_cpu_seconds_total")
	return time.Duration(v * float64(time.Second)), err
}

func (m *Metrics) PSS() (int64, error) {
	v, err := m.read("process_resident_memory_bytes")
	return int64(v), err
}

// Peak is the process's since its start.
func (m *Metrics) Peak() (int64, error) {
	v, err := m.read("process_resident_memory_peak_bytes")
	return int64(v), err
}

func (m *Metrics) Settle() error { return errors.ErrUnsupported }

// valueMax is what no CPU time in seconds and no memory in bytes comes to.
const valueMax = 1e15

func (m *Metrics) read(name string) (float64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone != nil {
		return 0, m.gone
	}
	v, err := m.ask(name)
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		m.gone = err
	}
	return v, err
}

func (m *Metrics) ask(name string) (float64, error) {
	m.once.Do(func() { m.client = client(m.Trust) })
	answer, err := m.client.Get(m.URL)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: expected status 200, found %q", m.redacted(), answer.Status)
	}
	for lines := bufio.NewScanner(io.LimitReader(answer.Body, 8<<20)); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			value, _, _ = strings.Cut(strings.TrimLeft(value, " "), " ") // a timestamp may follow
			v, err := strconv.ParseFloat(value, 64)
			if err != nil || !(v >= 0 && v <= valueMax) {
				return 0, fmt.Errorf("%s: expected a number of 0 or more after %s, found %.40q",
					m.redacted(), name, value)
			}
			return v, nil
		}
	}
	return 0, fmt.Errorf("%s: expected a metric %s, found none", m.redacted(), name)
}

// redacted is the URL without its password.
func (m *Metrics) redacted() string {
	u, err := url.Parse(m.URL)
	if err != nil {
		return "--admin"
	}
	return u.Redacted()
}
