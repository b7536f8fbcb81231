//! Lua programs for tests, put together from small handlers.

/// Handlers by path. What stands here can be used in each of them:
/// `wait(name)` holds a handler until a request to `/open/NAME` comes; `httpng`, `fiber`, `json`.
/// `/stats` answers the counters as JSON, `/gc` collects garbage first.
const FRAME: &str = r#"
local httpng, fiber, json = require('httpng'), require('fiber'), require('json')
local gates, kept = {}, {}
local function gate(name)
    gates[name] = gates[name] or fiber.channel(1000)
    return gates[name]
end
local function wait(name)
    return gate(name):get()
end
local routes = {}
--ROUTES--
httpng.cfg({
    --OPTIONS--
    handler = function(req, io)
        local opened = req.path:match('^/open/(.*)')
        if opened then
            gate(opened):put(true)
            return { body = 'opened' }
        end
        if req.path == '/stats' then
            for _ = 1, 4 do
                collectgarbage()
            end
            return { body = json.encode(httpng.stats()) }
        end
        local route = routes[req.path]
        if not route then
            return { status = 404, body = 'no route' }
        end
        return route(req, io)
    end,
})
"#;

/// A program whose routes are `(path, body of function(req, io))`.
pub(crate) fn program(routes: &[(&str, &str)]) -> String {
    program_with("", routes)
}

/// The same with more options for `httpng.cfg`.
pub(crate) fn program_with(options: &str, routes: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (path, body) in routes {
        text.push_str(&format!(
            "routes['{path}'] = function(req, io)\n{body}\nend\n"
        ));
    }
    FRAME
        .replace("--ROUTES--", &text)
        .replace("--OPTIONS--", options)
}
