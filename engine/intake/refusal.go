package intake

import (
	"ssedge/proto/forwarded"
	"ssedge/proto/proxyproto"
)

// Refusal is why a request is not served: a complete answer, and a metric label.
// Refusals are values of this package, and are never changed.
type Refusal struct {
	Status     int
	Cause      string // metric label
	Reason     string // one line for the client: what was expected
	RetryAfter int    // seconds; 0: coming back later does not help
}

var (
	refuseQuery   = &Refusal{Status: 400, Cause: "bad_query", Reason: "the query cannot be read: expected key=value pairs joined by &, with %XX escapes and no semicolons"}
	refuseNoTopic = &Refusal{Status: 400, Cause: "no_topic", Reason: "expected at least one topic in the query: /events?topic=NAME"}
	refuseTopic   = &Refusal{Status: 400, Cause: "bad_topic", Reason: "a topic name breaks the rule of package rule"}
	refuseTopics  = &Refusal{Status: 400, Cause: "too_many_topics", Reason: "more topics than one stream may have (--topics-per-stream)"}

	refuseTarget = &Refusal{Status: 414, Cause: "target_too_long", Reason: "the request target leaves no room for an id to resume from (--target-bytes): expected fewer topics, or shorter ones"}
	refuseHead   = &Refusal{Status: 431, Cause: "head_too_large", Reason: "the request head leaves no room for an id to resume from (--head-bytes): expected fewer topics, or fewer and shorter fields"}

	refuseXForwardedFor = &Refusal{Status: 400, Cause: "bad_forwarded", Reason: forwarded.ErrXForwardedFor.Error()}
	refuseForwarded     = &Refusal{Status: 400, Cause: "bad_forwarded", Reason: forwarded.ErrForwarded.Error()}
	refuseProxyHeader   = &Refusal{Status: 400, Cause: "bad_proxy_header", Reason: proxyproto.ErrNoHeader.Error()}
	refuseProxy         = &Refusal{Status: 403, Cause: "not_a_proxy", Reason: "only proxies may connect here (--trusted-proxies)"}

	refuseUnknown = &Refusal{Status: 401, Cause: "no_credentials", Reason: "these topics need a key: Authorization: Bearer KEY"}
	refuseInvalid = &Refusal{Status: 401, Cause: "bad_credentials", Reason: "the key is not valid; without one only public topics are open"}

	refuseStreams   = &Refusal{Status: 503, Cause: "streams_max", Reason: "this server holds as many streams as it may", RetryAfter: 5}
	refuseAddress   = &Refusal{Status: 503, Cause: "address_max", Reason: "this address holds as many streams as it may", RetryAfter: 30}
	refuseRate      = &Refusal{Status: 503, Cause: "accept_rate", Reason: "too many new streams at the moment", RetryAfter: 1}
	refuseMemory    = &Refusal{Status: 503, Cause: "memory_max", Reason: "this server is short of memory", RetryAfter: 10}
	refuseDraining  = &Refusal{Status: 503, Cause: "draining", Reason: "this server is going away", RetryAfter: 1}
	refuseInbox     = &Refusal{Status: 503, Cause: "inbox_max", Reason: "too many new streams at the moment", RetryAfter: 1}
	refuseTopicsMax = &Refusal{Status: 503, Cause: "topics_max", Reason: "this server holds as many topics as it may", RetryAfter: 5}
	refuseHTTP      = &Refusal{Status: 503, Cause: "http_max", Reason: "too many requests at the moment", RetryAfter: 1}
	refuseHeads     = &Refusal{Status: 503, Cause: "heads_max", Reason: "too many unfinished requests at the moment", RetryAfter: 1}
	refuseFiles     = &Refusal{Status: 503, Cause: "files_max", Reason: "this server has no file descriptors left", RetryAfter: 5}

	refuseTimeout = &Refusal{Status: 408, Cause: "head_timeout", Reason: "the request head did not arrive in time"}
)

// overload tells a refusal for want of room from one for what was asked.
func (r *Refusal) overload() bool { return r.Status == 503 }

// Refusals lists all of them, for metrics of each cause.
func Refusals() []*Refusal {
	return []*Refusal{
		refuseQuery, refuseNoTopic, refuseTopic, refuseTopics,
		refuseXForwardedFor, refuseForwarded, refuseProxyHeader, refuseProxy,
		refuseUnknown, refuseInvalid,
		refuseStreams, refuseAddress, refuseRate, refuseMemory, refuseDraining, refuseInbox, refuseTopicsMax,
		refuseHTTP, refuseHeads, refuseFiles, refuseTimeout,
	}
}
