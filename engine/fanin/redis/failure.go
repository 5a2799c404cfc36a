package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/redis/rueidis"
)

// errorKinds are the causes by which failures are counted, and by whose change they are logged. A
// server's own words come first, those of connections after them.
var errorKinds = [...]string{
	"readonly", "oom", "misconf", "clusterdown", "tryagain", "loading", "noscript", "noperm",
	"noreplicas",
	"moved", "ask", "masterdown", "wrongtype", "noauth", "wrongpass", "busy", "unknown_command",
	"refused", "no_such_host", "unreachable", "certificate", "tls", "timeout", "connection",
	"other",
}

// words are the first words of errors that are kinds in capitals.
var words = [...]string{
	"READONLY", "OOM", "MISCONF", "CLUSTERDOWN", "TRYAGAIN", "LOADING", "NOSCRIPT", "NOPERM",
	"NOREPLICAS",
	"MOVED", "ASK", "MASTERDOWN", "WRONGTYPE", "NOAUTH", "WRONGPASS", "BUSY",
}

// errorKind names an error of a server or of the connection to it: one of errorKinds.
func errorKind(err error) string {
	var server *rueidis.RedisError
	if errors.As(err, &server) && !server.IsNil() {
		return redisErrorKind(server.Error())
	}
	var caught scriptError
	if errors.As(err, &caught) {
		return redisErrorKind(string(caught))
	}
	return connectionErrorKind(err)
}

// scriptError is an error of a server that a script has caught.
type scriptError string

func (e scriptError) Error() string { return string(e) }

// redisErrorKind is that of a server's own words.
func redisErrorKind(text string) string {
	for _, word := range words {
		if strings.HasPrefix(text, word) {
			return strings.ToLower(word)
		}
	}
	lower := strings.ToLower(text)
	switch {
	case strings.Contains(lower, "unknown command"),
		strings.Contains(lower, "unknown redis command"),
		strings.Contains(lower, "unknown subcommand"):
		return "unknown_command"
	case strings.Contains(lower, "the user executing the script can't"),
		strings.Contains(lower, "acl failure in script"):
		// without NOPERM
		return "noperm"
	case strings.Contains(lower, "invalid password"),
		strings.Contains(lower, "without any password configured"):
		return "wrongpass"
	}
	return "other"
}

// connectionErrorKind is that of what the network, or TLS, says.
func connectionErrorKind(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, rueidis.ErrNoSlot), errors.Is(err, errUncovered):
		return "clusterdown"
	case certificateCause(err) != "":
		return "certificate"
	case errors.As(err, new(tls.RecordHeaderError)), remoteAlert(err) != "":
		return "tls"
	case errors.As(err, &dns) && dns.IsNotFound:
		return "no_such_host"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "unreachable"
	case errors.Is(err, errProbe), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return "connection"
}

// certificateCause says what is wrong with a certificate, the server's or this edge's, in words
// that do not change while it stays so; "" if that is not what failed.
func certificateCause(err error) string {
	var invalid x509.CertificateInvalidError
	alert := remoteAlert(err)
	switch {
	case errors.Is(err, errFiles):
		return "certificate files"
	case errors.As(err, &invalid):
		return fmt.Sprint("certificate invalid ", invalid.Reason)
	case errors.As(err, new(x509.HostnameError)):
		return "certificate hostname"
	case errors.As(err, new(x509.UnknownAuthorityError)),
		errors.As(err, new(*tls.CertificateVerificationError)):
		return "certificate unknown"
	case strings.Contains(alert, "certificate"):
		return alert
	}
	return ""
}

// ofACommand reports whether an error is the refusal of a command, whatever it is used with.
func ofACommand(err error) bool {
	switch errorKind(err) {
	case "unknown_command":
		return true
	case "noperm":
		return strings.Contains(err.Error(), "can't run") ||
			strings.Contains(err.Error(), "permissions to run")
	}
	return false
}

// neverSent reports whether there was no connection to send a command on.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.Is(err, errFiles) || errors.Is(err, rueidis.ErrNoSlot) || errors.As(err, &op) &&
		op.Op == "dial"
}

// remoteAlert is what the other end says of TLS, "" if it says nothing. The library has no type for
// it.
func remoteAlert(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return op.Err.Error()
	}
	return ""
}

// causeOf tells causes apart for the log: a certificate that is foreign is another one than one
// that has expired.
func causeOf(err error) string {
	if kind := errorKind(err); kind != "certificate" {
		return kind
	}
	return certificateCause(err)
}

// withoutArguments is an error without the arguments that servers repeat when they do not know a
// command: they may be a password or an event.
func withoutArguments(err error) error {
	if err == nil {
		return nil
	}
	if text, _, cut := strings.Cut(err.Error(), ", with args beginning with"); cut {
		return cutError{text, err}
	}
	return err
}

type cutError struct {
	text string
	err  error
}

func (e cutError) Error() string { return e.text }
func (e cutError) Unwrap() error { return e.err }
