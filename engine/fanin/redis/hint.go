package redis

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/redis/rueidis"
)

// hinted is an error with what it means for the settings. Of a connection that has ended, nothing
// can be said.
func (s *Source) hinted(err error) error {
	if err == nil {
		return nil
	}
	err = withoutArguments(err)
	if kind := errorKind(err); kind == "connection" || kind == "timeout" {
		return err
	}
	if hint := s.target.hint(err); hint != "" {
		return fmt.Errorf("%w%s", err, hint)
	}
	return err
}

// hintRefusal says what a server's refusal of this user or of a command means for the settings.
func (t *target) hintRefusal(err error) string {
	switch kind := errorKind(err); {
	case kind == "unknown_command" && t.kind == Sentinel:
		return "; what answers there is no sentinel, expected redis://…"
	case kind == "unknown_command":
		return "; expected Redis 6.2 or later (a cluster: 7.0) with all commands that ssedge uses (engine/fanin/redis/README.md, Access)"
	case kind == "noperm":
		return "; engine/fanin/redis/README.md (Access) has the rights that this user needs"
	case kind != "noauth" && kind != "wrongpass":
	case t.kind == Sentinel && t.sentinelsRefuse():
		return "; the sentinels ask for a password of their own: expected redis+sentinel://…/master?sentinel_password=… (and sentinel_user=…)"
	case t.kind == Sentinel:
		return "; expected the user and the password of the master, redis+sentinel://user:password@…"
	case kind == "wrongpass":
		return "; it is the user and the password in the URL, with reserved characters as %XX"
	default:
		return "; expected user and password in the URL, redis://user:password@…"
	}
	return ""
}

// sentinelsRefuse reports whether it is a sentinel that does not take the password that it is
// given.
func (t *target) sentinelsRefuse() bool {
	for _, address := range t.options.InitAddress {
		o := t.options
		o.InitAddress, o.ForceSingleClient, o.DisableCache = []string{address}, true, true
		o.DialCtxFn, o.Dialer.Timeout, o.ConnWriteTimeout = t.dial, time.Second, time.Second
		o.Username, o.Password, o.TLSConfig = o.Sentinel.Username, o.Sentinel.Password,
			o.Sentinel.TLSConfig
		o.Sentinel = rueidis.SentinelOption{}
		client, err := rueidis.NewClient(o)
		if client != nil {
			client.Close()
		}
		if err != nil {
			if kind := errorKind(err); kind == "noauth" || kind == "wrongpass" {
				return true
			}
		}
	}
	return false
}

// endedAtOnce reports whether the other end has closed the connection instead of answering.
func endedAtOnce(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE)
}
