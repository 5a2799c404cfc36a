package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/redis/rueidis"
)

// Kind is how the servers behind a URL belong together.
type Kind uint8

const (
	Standalone Kind = iota
	Sentinel
	Cluster
)

var kindNames = [...]string{
	Standalone: "standalone", Sentinel: "sentinel", Cluster: "cluster",
}

func (k Kind) String() string { return kindNames[k] }

// schemes of URLs, without the s at the end that asks for TLS.
var schemes = map[string]Kind{
	"redis": Standalone, "redis+sentinel": Sentinel, "redis+cluster": Cluster,
	"valkey": Standalone, "valkey+sentinel": Sentinel, "valkey+cluster": Cluster,
}

const expectedURL = "expected redis://[user:password@]host[:port], redis+sentinel://[user:password@]host[:port],…/master or " +
	"redis+cluster://[user:password@]host[:port],…; rediss for TLS, valkey for redis"

// target is what a URL says.
type target struct {
	kind     Kind
	options  rueidis.ClientOption
	redacted string // the URL without its password, for logs
	files    TLSFiles
	asked    atomic.Bool // a server has asked for a certificate
}

// CheckURL says what is wrong with a URL: nil, or in one line what was expected.
func CheckURL(text string) error {
	_, err := parseURL(text)
	return err
}

// WithoutPassword is a URL as a log may show it: without user and password. It is empty if the URL
// cannot be read.
func WithoutPassword(text string) string {
	t, err := parseURL(text)
	if err != nil {
		return ""
	}
	return t.redacted
}

// parseURL reads where the servers are. Several addresses are separated by commas. What may stand
// in the query is in queryKeys.
func parseURL(text string) (*target, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	// RFC 3986 knows no list of hosts: the rest is cut by hand, and its parts are read by the
	// library.
	secure := strings.HasPrefix(scheme, "rediss") || strings.HasPrefix(scheme, "valkeys")
	kind, known := schemes[strings.Replace(strings.Replace(scheme, "rediss", "redis", 1), "valkeys",
		"valkey", 1)]
	if !ok {
		return nil, fmt.Errorf("%s, found no ://", expectedURL)
	}
	if !known {
		return nil, fmt.Errorf("%s, found %s", expectedURL,
			ifPlain(plainScheme, scheme, "another scheme"))
	}
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	user, hosts := "", authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		user, hosts = authority[:i+1], authority[i+1:]
	}
	u, err := url.Parse("redis://" + user + "host" + tail)
	if err != nil || strings.Contains(tail, "@") {
		// a slash in the password ends the address; nothing of it may be shown
		return nil,
			fmt.Errorf("%s; the user, the password or what stands behind the addresses cannot be read: reserved characters are written %%XX",
				expectedURL)
	}
	t := &target{kind: kind, redacted: scheme + "://" + hosts + tail}
	o := &t.options
	for _, host := range strings.Split(hosts, ",") {
		address, err := addressOf(host, kind)
		if err != nil {
			return nil, err
		}
		o.InitAddress = append(o.InitAddress, address)
	}
	if kind == Standalone && len(o.InitAddress) > 1 {
		return nil, fmt.Errorf("%s; several addresses are those of redis+sentinel or redis+cluster",
			expectedURL)
	}
	if u.User != nil {
		o.Username = u.User.Username()
		o.Password, _ = u.User.Password()
	}
	if err := t.path(strings.Trim(u.Path, "/")); err != nil {
		return nil, err
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || u.Fragment != "" { // the library leaves out what it cannot read
		return nil,
			fmt.Errorf("%s; what stands behind the addresses cannot be read, expected in the query %s", expectedURL, queryKeys)
	}
	if err := t.query(query, secure); err != nil {
		return nil, err
	}
	return t, nil
}

// What of a URL an error may show: anything else may be a part of a password.
var (
	plainScheme   = regexp.MustCompile(`^[a-z][a-z+.-]{0,20}$`)
	plainAddress  = regexp.MustCompile(`^[A-Za-z0-9.-]*(:[0-9]{0,6})?$`)
	plainDatabase = regexp.MustCompile(`^-?[0-9]{1,4}$`)
)

// ifPlain is the text in quotes, or what else is said of it.
func ifPlain(plain *regexp.Regexp, text, instead string) string {
	if plain.MatchString(text) {
		return strconv.Quote(text)
	}
	return instead
}

func addressOf(host string, kind Kind) (string, error) {
	port := map[Kind]string{Sentinel: "26379"}[kind]
	if port == "" {
		port = "6379"
	}
	name := host
	if h, p, err := net.SplitHostPort(host); err == nil {
		name, port = h, p
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		name = host[1 : len(host)-1]
	} else if strings.Contains(host, ":") {
		return "", fmt.Errorf("%s, found the address %s", expectedURL,
			ifPlain(plainAddress, host, "of another form"))
	}
	if n, err := strconv.ParseUint(port, 10, 16); name == "" ||
		strings.ContainsAny(name, "# \t\r\n") || err != nil || n == 0 {
		return "", fmt.Errorf("%s, found the address %s", expectedURL,
			ifPlain(plainAddress, host, "of another form"))
	}
	return net.JoinHostPort(name, port), nil
}

// path is with Sentinel the name of the master. A database other than 0 is refused: channels know
// no databases, so two in different ones would have the same events and different histories.
func (t *target) path(path string) error {
	o := &t.options
	if t.kind == Sentinel {
		o.Sentinel.MasterSet, path, _ = strings.Cut(path, "/")
		if o.Sentinel.MasterSet == "" {
			return fmt.Errorf("%s, found no name of a master", expectedURL)
		}
	}
	if path == "" {
		return nil
	}
	if path != "0" {
		return fmt.Errorf("%s; channels know no databases, so there is only 0: --redis-prefix keeps apart what shares a server; found %s",
			expectedURL, ifPlain(plainDatabase, path, "something else"))
	}
	return nil
}

// queryKeys is what the query of a URL may have.
const queryKeys = "insecure=true (TLS without verifying the servers' certificates), sentinel_user and sentinel_password (at the sentinels)"

func (t *target) query(q url.Values, secure bool) error {
	o := &t.options
	insecure := false
	for _, key := range slices.Sorted(maps.Keys(q)) {
		value := q[key][0]
		switch {
		case len(q[key]) > 1:
			return fmt.Errorf("%s; expected each parameter once in the query", expectedURL)
		case key == "insecure" && secure:
			var err error
			if insecure, err = strconv.ParseBool(value); err != nil {
				return fmt.Errorf("%s; insecure must be true or false", expectedURL)
			}
		case key == "sentinel_user" && t.kind == Sentinel:
			o.Sentinel.Username = value
		case key == "sentinel_password" && t.kind == Sentinel:
			o.Sentinel.Password = value
			t.redacted, _, _ = strings.Cut(t.redacted, "?")
		case key == "insecure":
			return fmt.Errorf("%s; insecure has no effect without TLS, expected rediss",
				expectedURL)
		case key == "sentinel_user" || key == "sentinel_password":
			return fmt.Errorf("%s; %s has no effect without sentinels, expected redis+sentinel",
				expectedURL, key)
		default: // it is not shown: it may be what stands behind a & in a password
			return fmt.Errorf("%s; in the query may stand %s, found another parameter", expectedURL,
				queryKeys)
		}
	}
	if secure {
		// The name is set for each connection by the address that is dialled.
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: insecure}
		if t.kind == Sentinel {
			o.Sentinel.TLSConfig = o.TLSConfig
		}
	}
	return nil
}

// hint says what an error on connecting probably means, for those whose text does not.
func (t *target) hint(err error) string {
	if refusal := t.hintRefusal(err); refusal != "" {
		return refusal
	}
	if tls := t.hintTLS(err); tls != "" {
		return tls
	}
	switch {
	case endedAtOnce(err) && t.options.TLSConfig == nil:
		return "; what listens there is no Redis, or expects TLS (rediss://…)"
	case t.options.TLSConfig != nil &&
		(errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(tls.RecordHeaderError))):
		return "; what listens there may not know TLS, expected redis://…"
	case errors.Is(err, context.DeadlineExceeded):
		return "; what listens there does not answer"
	}
	return ""
}
