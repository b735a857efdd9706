"""nginx -t: the good configuration passes, each unsafe one fails and says why."""
import pytest
from lib.instance import GOOD

NAMED = "location @elsewhere { proxy_pass http://127.0.0.1:9; }"


def refused(bench, text, settings=None, **blocks):
    bench.write_conf(settings, **blocks)
    status, said = bench.conf_test()
    assert status != 0, said
    assert "tollgate" in said and text in said, said


def accepted(bench, settings=None, **blocks):
    bench.write_conf(settings, **blocks)
    status, said = bench.conf_test()
    assert status == 0, said
    assert "[emerg]" not in said and "[alert]" not in said, said


SETTINGS = [
    ("proxy_next_upstream", "error timeout", "proxy_next_upstream"),
    ("proxy_next_upstream", None, "proxy_next_upstream"),
    ("proxy_ignore_client_abort", "off", "proxy_ignore_client_abort"),
    ("proxy_ignore_client_abort", None, "proxy_ignore_client_abort"),
    ("proxy_request_buffering", "off", "proxy_request_buffering"),
    ("proxy_max_temp_file_size", "1m", "proxy_max_temp_file_size"),
    ("proxy_max_temp_file_size", None, "proxy_max_temp_file_size"),
    ("proxy_ignore_headers", None, "X-Accel"),
    ("proxy_ignore_headers", "X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset", "X-Accel"),
    ("proxy_ignore_headers", "X-Accel-Redirect X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset", "X-Accel"),
    ("proxy_ignore_headers", "X-Accel-Redirect X-Accel-Expires X-Accel-Buffering X-Accel-Charset", "X-Accel"),
    ("proxy_ignore_headers", "X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Charset", "X-Accel"),
    ("proxy_ignore_headers", "X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering", "X-Accel"),
    ("client_max_body_size", "0", "client_max_body_size"),
    ("client_max_body_size", "65k", "client_body_buffer_size"),
    ("client_body_buffer_size", "32k", "client_body_buffer_size"),
    ("client_body_buffer_size", None, "client_body_buffer_size"),
    ("send_timeout", "1s", "tollgate_settle_wait"),
    ("send_timeout", "2s", "tollgate_settle_wait"),
    ("tollgate_settle_wait", "10s", "send_timeout"),
    ("tollgate_profile", None, "tollgate_profile"),
    ("tollgate_route", None, "tollgate_route"),
    ("proxy_pass", None, "proxy_pass"),
    ("proxy_pass", "http://$host", "proxy_pass"),
    ("proxy_pass", "http://127.0.0.1:@UPSTREAM@/", "URI in proxy_pass"),
    ("proxy_pass", "http://127.0.0.1:@UPSTREAM@/v2", "URI in proxy_pass"),
    ("proxy_pass", "http://unix:/tmp/upstream.sock:/v2", "URI in proxy_pass"),
]


@pytest.mark.parametrize("name,value,text", SETTINGS)
def test_a_gated_setting_that_is_wrong(bench, name, value, text):
    refused(bench, text, {name: value})


LINES = [
    ("proxy_intercept_errors on;", "proxy_intercept_errors"),
    ("proxy_store on;", "proxy_store"),
    ("proxy_store @DIR@/tmp/x;", "proxy_store"),
    ("proxy_cache pages;", "proxy_cache"),
    ("mirror /elsewhere;", "mirror"),
    ("slice 1m;", "slice"),
    ("auth_request /elsewhere;", "auth_request"),
    ("try_files $uri @elsewhere;", "try_files"),
    ("ssi on;", "ssi"),
    ("add_before_body /elsewhere;", "add_before_body"),
    ("add_after_body /elsewhere;", "add_after_body"),
    ("post_action @elsewhere;", "post_action"),
    ("return 200;", "return"),
    ("return 301 https://example.org/;", "return"),
    ("if ($arg_x) { return 403; }", "return"),
    ("if ($arg_x) { set $y 1; }", "if"),
    ("rewrite ^ /elsewhere last;", "rewrite"),
    ("rewrite ^ https://example.org/ redirect;", "rewrite"),
    ("set $x 1; set $y $x$x; return 204;", "return"),
    ("proxy_set_header Upgrade $http_upgrade;", "Upgrade"),
    ("proxy_set_header upgrade websocket;", "Upgrade"),
    ("proxy_set_header Connection upgrade;", "Connection"),
    ("proxy_set_header Connection $http_connection;", "Connection"),
    ("proxy_set_header Content-Length 5;", "framing"),
    ("proxy_set_header Transfer-Encoding chunked;", "framing"),
    ("proxy_set_header Authorization $http_x_own;", "credential"),
    ("proxy_set_header Idempotency-Key $request_id;", "idempotency key"),
    ("proxy_set_body x;", "proxy_set_body"),
    ("proxy_method PUT;", "proxy_method"),
    ("proxy_pass_request_body off;", "proxy_pass_request_body"),
    ("proxy_pass_request_headers off;", "proxy_pass_request_headers"),
    ("client_body_in_file_only on;", "client_body_in_file_only"),
    ("error_page 502 /elsewhere;", "error_page"),
    ("error_page 502 @elsewhere;", "error_page"),
    ("error_page 502 =200 /elsewhere;", "error_page"),
    ("error_page 502 https://example.org/;", "error_page"),
    ("error_page 502 /$arg_x;", "error_page"),
    ("error_page 502 /open_problem;", "error_page"),
]


@pytest.mark.parametrize("line,text", LINES)
def test_a_line_that_may_not_stand_in_a_gated_location(bench, line, text):
    refused(bench, text, location=line, http="proxy_cache_path @DIR@/tmp/cache keys_zone=pages:1m;",
            locations=NAMED + " location /elsewhere { } location = /open_problem { tollgate_problem body_too_large; }")


@pytest.mark.parametrize("line", ["fastcgi_pass 127.0.0.1:9;", "uwsgi_pass 127.0.0.1:9;", "scgi_pass 127.0.0.1:9;",
                                  "grpc_pass 127.0.0.1:9;", "memcached_pass 127.0.0.1:9;"])
def test_only_proxy_pass_can_be_gated(bench, line):
    refused(bench, "proxy_pass", {"proxy_pass": None}, location=line)
    refused(bench, "proxy_pass", location=line)


@pytest.mark.parametrize("line", ["mirror /elsewhere;", "return 403;", "ssi on;", "error_page 502 /elsewhere;",
                                  "if ($arg_x) { return 403; }"])
def test_what_is_inherited_from_the_server_counts(bench, line):
    refused(bench, "tollgate", server=line, locations="location /elsewhere { }")


# A bad copy of the gated settings in every kind of place where a location can hide.
PLACES = {
    "nested": "location /outer {{ {bad} location /outer/inner {{ {bad} }} }}",
    "exact": "location = /exact {{ {bad} }}",
    "regular": "location ~ ^/regular {{ {bad} }}",
    "regular, nested": "location /outer {{ location ~ ^/outer/x {{ {bad} }} }}",
    "prefix without regular": "location ^~ /prefix {{ {bad} }}",
    "named": "location @named {{ {bad} }}",
}


@pytest.mark.parametrize("place", PLACES)
def test_every_kind_of_location_is_looked_at(bench, place):
    bad = " ".join(f"{name} {value};" for name, value in {
        "tollgate": "on", "tollgate_route": "other", "tollgate_profile": "@PROFILE@",
        "proxy_pass": "http://127.0.0.1:9", "client_max_body_size": "1k"}.items())
    refused(bench, "proxy_next_upstream", locations=PLACES[place].format(bad=bad))


GATED = " ".join(f"{name} {value};" for name, value in GOOD.items())


@pytest.mark.parametrize("name", ["tollgate_profile", "tollgate_route"])
@pytest.mark.parametrize("block", ["server", "http"])
def test_on_is_inherited_and_asks_for_a_profile_and_a_route(bench, name, block):
    """`tollgate on` above a location that would be gated, but for one line."""
    refused(bench, name, {"tollgate": None, name: None}, **{block: "tollgate on;"})


def test_on_is_inherited_by_nested_locations(bench):
    inner = "location /outer/inner { proxy_pass http://127.0.0.1:@UPSTREAM@; }"
    accepted(bench, locations=f"location /outer {{ {GATED} {inner} }}")
    # Nothing is forgotten on the way in: the inner location is gated, so a line that is lost there counts.
    refused(bench, "proxy_next_upstream", locations=f"location /outer {{ {GATED} "
            + inner.replace("proxy_pass", "proxy_next_upstream error; proxy_pass") + " }")
    refused(bench, "proxy_pass is missing", locations=f"location /outer {{ {GATED} location /outer/inner {{ }} }}")
    accepted(bench, locations=f"location /outer {{ {GATED} location /outer/inner {{ tollgate off; }} }}")


def test_on_in_the_server_gates_every_location(bench):
    refused(bench, "proxy_pass is missing", {"tollgate": None}, server="tollgate on;", locations="location /static { }")


def test_a_unix_socket_is_no_uri(bench):
    accepted(bench, {"proxy_pass": "http://unix:/tmp/upstream.sock"})
    accepted(bench, {"proxy_pass": "https://127.0.0.1:@UPSTREAM@"})
    accepted(bench, {"proxy_pass": "http://bank"}, http="upstream bank { server 127.0.0.1:9; keepalive 4; }")


def test_limit_except_is_looked_at(bench):
    refused(bench, "limit_except", {"client_max_body_size": "1k"},
            location="limit_except GET { proxy_pass http://$host; }")


@pytest.mark.parametrize("blocks,text", [
    ({"ignore_invalid": "on"}, "ignore_invalid_headers"),
    ({"underscores": "off"}, "underscores_in_headers"),
    ({"server": "ssl_early_data on;"}, "ssl_early_data"),
    ({"keeper_line": ""}, "tollgate_keeper"),
    ({"http": "error_log @DIR@/error.log info;"}, "error_log"),
    ({"server": "error_log @DIR@/error.log debug;"}, "error_log"),
    ({"location": "error_log @DIR@/error.log warn; error_log @DIR@/more.log info;"}, "error_log"),
    ({"main": "worker_shutdown_timeout 2s;"}, "worker_shutdown_timeout"),
])
def test_settings_around_the_location(bench, blocks, text):
    refused(bench, text, **blocks)


def test_worker_shutdown_timeout_below_http_counts(bench):
    """nginx settles it only when the whole file is read."""
    bench.write_conf()
    path = bench.folder / "nginx.conf"
    path.write_text(path.read_text() + "\nworker_shutdown_timeout 1s;\n")
    status, said = bench.conf_test()
    assert status != 0 and "worker_shutdown_timeout" in said, said


def test_the_default_server_of_a_shared_address_counts(bench):
    other = "server { listen 127.0.0.1:@PORT@ ssl http2 default_server; server_name other; %s location / { return 404; } }"
    for line in ("ignore_invalid_headers on;", "underscores_in_headers off;", "ssl_early_data on;"):
        refused(bench, line.split()[0], servers=other % line)
    accepted(bench, servers=other % "")


def test_the_good_configuration_passes(bench):
    accepted(bench)
    accepted(bench, main="worker_shutdown_timeout 10s;")
    accepted(bench, server="ssl_early_data off;", location="set $x 1; proxy_set_header Connection \"\"; "
             "proxy_set_header Upgrade \"\"; mirror off; proxy_cache off; proxy_store off; ssi off;")
    accepted(bench, location="error_page 502 /.tollgate/request_refused; error_page 504 @problem;",
             locations="location @problem { tollgate_problem outcome_unknown_cut; }")


def test_observe_asks_only_for_what_it_needs(bench):
    free = {name: None for name in ("proxy_next_upstream", "proxy_ignore_client_abort", "proxy_max_temp_file_size",
                                    "proxy_ignore_headers")}
    accepted(bench, dict(free, tollgate="observe"))
    refused(bench, "tollgate_route", dict(free, tollgate="observe", tollgate_route=None))


def test_off_asks_for_nothing(bench):
    accepted(bench, {"tollgate": "off", "tollgate_route": None, "tollgate_profile": None, "proxy_next_upstream": None},
             keeper_line="", ignore_invalid="on", underscores="off")


@pytest.mark.parametrize("settings", [
    {"tollgate": "maybe"}, {"tollgate_route": "no/slash or space"}, {"tollgate_route": '""'},
    {"tollgate_profile": "/nonexistent.json"}, {"tollgate_settle_wait": "soon"}, {"tollgate_upstream_credential": '"a b"'},
])
def test_a_value_that_is_no_value(bench, settings):
    bench.write_conf(settings)
    assert bench.conf_test()[0] != 0


def test_a_broken_profile_is_named_with_its_fault(bench):
    broken = bench.folder / "broken.json"
    broken.write_text('{"name": "x", "operations": [}')
    bench.write_conf({"tollgate_profile": str(broken)})
    status, said = bench.conf_test()
    assert status != 0 and "broken.json" in said, said


def test_an_unknown_reason_has_no_problem_document(bench):
    bench.write_conf(locations="location = /x { internal; tollgate_problem no_such_reason; }")
    status, said = bench.conf_test()
    assert status != 0 and "tollgate_problem" in said, said
