# Varnish in front of ssedge, over HTTP. Tested with Varnish 7.1.
#   varnishd -a :80 -f varnish.vcl -p pipe_timeout=75 -p timeout_idle=60
#   ssedge serve --listen 10.0.0.11:8080 --trusted-proxies 10.0.0.1
# with the address that Varnish connects from. pipe_timeout is the silence that ends a stream:
# three heartbeats.
vcl 4.1;

import directors;

# Varnish probes the port that it sends requests to, not /readyz. That port answers OPTIONS * with 204
# until the edge stops accepting, so --drain-delay gains nothing.
probe serving {
    .request = "OPTIONS * HTTP/1.1" "Host: localhost" "Connection: close";
    .expected_response = 204;
    .interval = 1s;
    .timeout = 1s;
    .window = 2;
    .threshold = 1;
    .initial = 1;
}

# A single edge: delete edge2, here and below. On this host: .path = "/run/ssedge/socket"; in place of .host.
backend edge1 { .host = "10.0.0.11:8080"; .probe = serving; .connect_timeout = 2s; }
backend edge2 { .host = "10.0.0.12:8080"; .probe = serving; .connect_timeout = 2s; }

sub vcl_init {
    new edges = directors.round_robin();
    edges.add_backend(edge1);
    edges.add_backend(edge2);
}

# X-Forwarded-For is Varnish's own work: it adds the client's address behind what the client has sent.
sub vcl_recv {
    set req.backend_hint = edges.backend();
    # A stream is piped as bytes. Otherwise its first bytes would wait for an event or a heartbeat, and
    # a request that no edge answers would be answered 503, at which an EventSource gives up for good.
    # A pipe ends without an answer, and the EventSource comes back.
    if (req.method == "GET" && req.url ~ "^/events(\?|$)") {
        return (pipe);
    }
    return (pass);
}

sub vcl_pipe {
    # What follows on the client's connection must not reach the edge past vcl_recv.
    set bereq.http.Connection = "close";
    return (pipe);
}

sub vcl_backend_fetch {
    # On a kept connection, Varnish sends a request again if it was not answered: a publish could
    # arrive twice.
    set bereq.http.Connection = "close";
    return (fetch);
}
