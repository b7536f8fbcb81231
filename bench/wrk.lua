-- What wrk sends: `plain`, `post BYTES` or `pipeline COUNT`; and one line of JSON at the end.
local one

function init(args)
    local mode, number = args[1] or 'plain', tonumber(args[2])
    if mode == 'post' then
        wrk.method = 'POST'
        wrk.body = ('x'):rep(number)
        wrk.headers['content-type'] = 'application/octet-stream'
    end
    one = wrk.format()
    if mode == 'pipeline' then
        one = one:rep(number)
    end
end

function request()
    return one
end

function done(summary, latency)
    local errors = summary.errors
    local format = '{"requests":%d,"bytes":%d,"micros":%d,"non_2xx":%d,'
        .. '"connect_errors":%d,"read_errors":%d,"write_errors":%d,"timeouts":%d,'
        .. '"p50_us":%d,"p99_us":%d}\n'
    io.write('BENCH ', format:format(
        summary.requests, summary.bytes, summary.duration, errors.status,
        errors.connect, errors.read, errors.write, errors.timeout,
        latency:percentile(50), latency:percentile(99)
    ))
end
