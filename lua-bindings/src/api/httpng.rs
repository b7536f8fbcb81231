//! The Rust half of `httpng`: applies configurations that the Lua half has checked.

use std::ffi::OsStr;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use http_proto::{Exchange, Site, Sites};
use shuttle_core::TxEnd;

use crate::config::{
    FolderConfig, ListenAddr, ServeConfig, ServerConfig, SiteConfig, TlsPairs, TlsVersion,
};
use crate::env::Stage;
use crate::host::{Handler, LuaHandler, Metatables, SendDefaults};
use crate::raw::{Kind, Outcome, Raise, Slot, Stack, Verb, verb};
use crate::realm::{Realm, realm};

/// See `lua/httpng.lua`.
pub(super) const VERBS: &[(&str, Verb)] = &[
    ("bind", verb(bind)),
    ("set_metatables", verb(set_metatables)),
    ("start", verb(start)),
    ("reconfigure", verb(reconfigure)),
    ("stop", verb(stop)),
    ("stopped", verb(stopped)),
    ("is_shrinking", verb(is_shrinking)),
    ("is_relistening", verb(is_relistening)),
    ("force_shrink", verb(force_shrink)),
    ("give_up", verb(give_up)),
    ("give_up_leaving", verb(give_up_leaving)),
    ("forget_sites", verb(forget_sites)),
    ("stats", verb(stats)),
    ("stats_of_all", verb(stats_of_all)),
    ("tx", verb(tx)),
];

/// See `lua/httpng/listen.lua`.
pub(super) const LISTEN_VERBS: &[(&str, Verb)] = &[("resolve", verb(resolve))];

/// `resolve(host)`: the addresses of a host, or nil. Asks the system, which may block the thread
/// for a while: that is done once, when the server starts.
fn resolve(stack: &mut Stack) -> Outcome {
    let host = stack.lossy(1).unwrap_or_default();
    let found = (host.as_str(), 0).to_socket_addrs();
    let Some(found) = found.ok().filter(|found| found.len() > 0) else {
        stack.push_nil();
        return Ok(1);
    };
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found {
        if !addresses.contains(&address.ip()) {
            addresses.push(address.ip());
        }
    }
    stack.push_table(addresses.len(), 0);
    for (place, address) in addresses.iter().enumerate() {
        stack.push_str(&address.to_string());
        stack.set_item(-2, place + 1);
    }
    Ok(1)
}

/// `bind(verb, methods)`: the index function of `req` or `io`, with the methods it knows.
fn bind(stack: &mut Stack) -> Outcome {
    stack.set_top(2);
    if stack.rebind(1) {
        Ok(1)
    } else {
        Err(Raise::text("this is no verb"))
    }
}

/// `set_metatables(req, io, flatten, keep)`.
fn set_metatables(stack: &mut Stack) -> Outcome {
    stack.set_top(4);
    let keep = stack.anchor();
    let flatten = stack.anchor();
    let io = stack.anchor();
    let req = stack.anchor();
    let metatables = Metatables {
        req,
        io,
        flatten,
        keep,
    };
    realm().http.metatables.set(metatables);
    Ok(0)
}

/// `start(config)`: nil, or why it failed.
fn start(stack: &mut Stack) -> Outcome {
    let config = read_config(stack, 1)?;
    let started = realm().control.borrow_mut().start(&config);
    take_over(stack, started)
}

/// `reconfigure(config)`: nil, or why it failed.
fn reconfigure(stack: &mut Stack) -> Outcome {
    let config = read_config(stack, 1)?;
    let changed = realm().control.borrow_mut().reconfigure(&config);
    take_over(stack, changed)
}

/// Lands the ends of new workers and applies the rest of the configuration; or says why there are
/// none.
fn take_over(stack: &mut Stack, ends: Result<Vec<TxEnd<Exchange>>, String>) -> Outcome {
    match ends {
        Ok(ends) => {
            let realm = realm();
            realm.http.land(ends);
            apply(&realm, stack)?;
            Ok(0)
        }
        Err(why) => {
            stack.push_str(&why);
            Ok(1)
        }
    }
}

/// What of a configuration is ours: handlers, stage, and what holds for sending.
fn apply(realm: &Realm, stack: &mut Stack) -> Result<(), Raise> {
    let sites = read_sites(stack)?;
    release(stack, &realm.http.set_sites(sites));
    let stage = stack.number_field(1, "stage");
    if let Some(stage) = stage.and_then(Stage::from_number) {
        realm.stage.set(stage);
    }
    realm.http.sending.set(read_send_defaults(stack));
    let is_shown = realm.control.borrow().is_development() || truth(stack, 1, "development");
    realm.http.shows_failures.set(is_shown);
    Ok(())
}

/// `config.default_send_window`, `config.default_send_timeout`, and whether the latter was given.
fn read_send_defaults(stack: &mut Stack) -> SendDefaults {
    let ours = SendDefaults::default();
    let window = stack.number_field(1, "default_send_window");
    let timeout = stack.number_field(1, "default_send_timeout");
    let timeout = timeout.map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)));
    let _ = stack.raw_field(1, "has_send_timeout");
    let is_timeout_given = stack.truth(-1);
    stack.pop(1);
    SendDefaults {
        window_bytes: window.map_or(ours.window_bytes, |bytes| bytes as u64),
        timeout: timeout.map_or(ours.timeout, |timeout| timeout.unwrap_or(Duration::MAX)),
        is_timeout_given,
    }
}

/// Anchors the handlers of `config.sites`.
fn read_sites(stack: &mut Stack) -> Result<Sites<Handler>, Raise> {
    if stack.raw_field(1, "sites") != Kind::Table {
        return Err(Raise::text("sites is not a table"));
    }
    let list = stack.top();
    let mut sites = Vec::new();
    let usual_max = stack.number_field(1, "max_body_len").unwrap_or(0.0);
    for place in 1..=stack.raw_len(list) {
        if stack.raw_item(list, place) != Kind::Table {
            return Err(Raise::text("sites is not a table of tables"));
        }
        let path = stack.text_field(-1, "path").unwrap_or_default();
        let own_max = stack.number_field(-1, "max_body_len");
        let _ = stack.raw_field(-1, "cancel_on_disconnect");
        let cancels = stack.truth(-1);
        stack.pop(1);
        let is_files = stack.raw_field(-1, "files") == Kind::Table;
        stack.pop(1);
        let value = if is_files {
            Handler::Elsewhere
        } else {
            let takes = stack.number_field(-1, "takes").unwrap_or(2.0) as u8;
            let _ = stack.raw_field(-1, "handler");
            Handler::Lua(LuaHandler {
                anchor: stack.anchor(),
                cancels,
                body_max_bytes: own_max.unwrap_or(usual_max) as u64,
                takes,
            })
        };
        let path = path.into();
        sites.push(Site { path, value });
        stack.pop(1);
    }
    stack.pop(1);
    Ok(Sites::new(sites))
}

/// Handlers that serve a request now are on a stack and live on there.
fn release(stack: &mut Stack, sites: &Rc<Sites<Handler>>) {
    for site in sites.iter() {
        if let Handler::Lua(LuaHandler { anchor, .. }) = site.value {
            stack.release(anchor);
        }
    }
}

/// `stop()`: resets all connections. A handler that asks gives up its own request: the worker
/// could not end while it is with Lua, and the handler waits for the worker.
fn stop(_: &mut Stack) -> Outcome {
    let realm = realm();
    if let Some(ticket) = realm.stats.serving().ticket() {
        realm.http.give_up(&realm, ticket);
    }
    realm.control.borrow_mut().stop(Some(tx_runtime::now()));
    Ok(0)
}

/// `stopped()`: whether workers and handlers have ended, but for one that has given its request up.
fn stopped(stack: &mut Stack) -> Outcome {
    let realm = realm();
    let stopped = realm.http.open_count() == 0 && realm.control.borrow_mut().stopped();
    stack.push_bool(stopped);
    Ok(1)
}

/// `is_shrinking()`: whether threads that became too many have not ended yet.
fn is_shrinking(stack: &mut Stack) -> Outcome {
    let is_shrinking = realm().control.borrow_mut().is_shrinking();
    stack.push_bool(is_shrinking);
    Ok(1)
}

/// `is_relistening()`: whether some worker does not yet listen as the last reload wants it.
fn is_relistening(stack: &mut Stack) -> Outcome {
    let is_relistening = realm().control.borrow_mut().is_relistening();
    stack.push_bool(is_relistening);
    Ok(1)
}

/// `force_shrink()`: resets the connections of threads that became too many. A handler that asks
/// and is served by one of them gives up its own request, as in `stop`.
fn force_shrink(_: &mut Stack) -> Outcome {
    let realm = realm();
    let leaving = realm.control.borrow().leaving();
    if let Some(ticket) = realm.stats.serving().ticket()
        && is_among(&realm, &leaving, realm.http.link_of(ticket))
    {
        realm.http.give_up(&realm, ticket);
    }
    realm.control.borrow_mut().force_shrink();
    Ok(0)
}

/// `give_up()`: handlers that still run lose their requests and are cancelled.
fn give_up(_: &mut Stack) -> Outcome {
    let realm = realm();
    realm.http.give_up_running(&realm, |_| true);
    Ok(0)
}

/// `give_up_leaving()`: likewise those that are served by threads that became too many.
fn give_up_leaving(_: &mut Stack) -> Outcome {
    let realm = realm();
    let leaving = realm.control.borrow().leaving();
    let http = &realm.http;
    http.give_up_running(&realm, |link| is_among(&realm, &leaving, Some(link)));
    Ok(0)
}

fn is_among(realm: &Realm, ends: &[u64], link: Option<usize>) -> bool {
    let number = link.and_then(|link| realm.http.number_of(link));
    number.is_some_and(|number| ends.contains(&number))
}

/// `forget_sites()`: after a shutdown no handler is held.
fn forget_sites(stack: &mut Stack) -> Outcome {
    release(stack, &realm().http.set_sites(Sites::default()));
    Ok(0)
}

/// `stats()`: a table of all counters, those of the network side included.
fn stats(stack: &mut Stack) -> Outcome {
    let realm = realm();
    let own = [
        ("requests", realm.stats.requests_total()),
        ("open_requests", realm.http.open_count() as u64),
        ("handler_errors", realm.stats.handler_errors_total()),
        ("pins", realm.http.pins_count() as u64),
        ("fibers", realm.fibers_count() as u64),
    ];
    let others = realm.control.borrow().stats();
    push_counters(stack, own.into_iter().chain(others));
    Ok(1)
}

/// `stats_of_all()`: a table of the counters that hold for all Lua threads.
fn stats_of_all(stack: &mut Stack) -> Outcome {
    let counters = realm().control.borrow().stats_of_all();
    push_counters(stack, counters.into_iter());
    Ok(1)
}

fn push_counters(stack: &mut Stack, counters: impl Iterator<Item = (&'static str, u64)>) {
    stack.push_table(0, counters.size_hint().0);
    for (name, count) in counters {
        stack.push_number(count as f64);
        stack.set_field(-2, name);
    }
}

/// `tx()`: which Lua thread this is, and of how many.
fn tx(stack: &mut Stack) -> Outcome {
    let (index, count) = realm().control.borrow().seat();
    stack.push_number(f64::from(index));
    stack.push_number(f64::from(count));
    Ok(2)
}

/// Reads a table that the Lua half made.
fn read_config(stack: &mut Stack, slot: Slot) -> Result<ServerConfig, Raise> {
    let number = |stack: &mut Stack, name| stack.number_field(slot, name).unwrap_or(0.0);
    let ms = |stack: &mut Stack, name| (number(stack, name) * 1000.0) as u64;
    let termination = number(stack, "thread_termination_timeout");
    Ok(ServerConfig {
        threads: number(stack, "threads") as u16,
        listeners: read_listeners(stack, slot)?,
        reload_listeners: truth(stack, slot, "reload_listeners"),
        sites: read_site_configs(stack, slot)?,
        min_tls: match stack.text_field(slot, "min_tls").as_deref() {
            Some("1.3") => TlsVersion::V13,
            _ => TlsVersion::V12,
        },
        max_conn_per_thread: number(stack, "max_conn_per_thread") as usize,
        max_conn_per_ip: number(stack, "max_conn_per_ip") as usize,
        reserved_for: super::networks::read(stack, slot)?,
        max_buffered_bodies_bytes: number(stack, "max_buffered_bodies") as u64,
        min_receive_rate_bytes: number(stack, "min_receive_rate") as u64,
        min_send_rate_bytes: number(stack, "min_send_rate") as u64,
        max_shuttles_per_thread: number(stack, "max_shuttles_per_thread") as u32,
        max_streams_per_conn: number(stack, "max_streams_per_conn") as usize,
        max_http2_memory_bytes: number(stack, "max_http2_memory") as u64,
        max_body_len_bytes: number(stack, "max_body_len") as u64,
        thread_termination_timeout_ms: (termination > 0.0)
            .then(|| ((termination * 1000.0) as u64).max(1)),
        header_timeout_ms: ms(stack, "header_timeout").max(1),
        body_timeout_ms: ms(stack, "body_timeout").max(1),
        idle_timeout_ms: ms(stack, "idle_timeout").max(1),
        write_timeout_ms: ms(stack, "write_timeout").max(1),
        ping_after_ms: (number(stack, "ping_after") * 1000.0).ceil() as u64,
        reporting: super::reporting::read(stack, slot),
    })
}

pub(super) fn truth(stack: &mut Stack, slot: Slot, name: &str) -> bool {
    let _ = stack.raw_field(slot, name);
    let is_true = stack.truth(-1);
    stack.pop(1);
    is_true
}

fn read_site_configs(stack: &mut Stack, slot: Slot) -> Result<Vec<SiteConfig>, Raise> {
    if stack.raw_field(slot, "sites") != Kind::Table {
        return Err(Raise::text("sites is not a table"));
    }
    let list = stack.top();
    let mut sites = Vec::new();
    for place in 1..=stack.raw_len(list) {
        let _ = stack.raw_item(list, place);
        let item = stack.top();
        let path = stack.text_field(item, "path").unwrap_or_default();
        let _ = stack.raw_field(item, "stream");
        let streams_body = stack.truth(-1);
        let own_max = stack.number_field(item, "max_body_len");
        let serve = match read_folder(stack, item) {
            Some(folder) => ServeConfig::Files(folder),
            None => ServeConfig::Lua {
                streams_body,
                body_max_bytes: own_max.map(|max| max as u64),
                compress: super::compress::read(stack, item),
            },
        };
        let path = path.into();
        sites.push(SiteConfig { path, serve });
        stack.set_top(list);
    }
    stack.pop(1);
    Ok(sites)
}

/// The folder of a site, if it has one.
fn read_folder(stack: &mut Stack, site: Slot) -> Option<FolderConfig> {
    if stack.raw_field(site, "files") != Kind::Table {
        return None;
    }
    let files = stack.top();
    let _ = stack.raw_field(files, "folder");
    let folder = OsStr::from_bytes(stack.bytes(-1)?).into();
    let _ = stack.raw_field(files, "precompressed");
    Some(FolderConfig {
        folder,
        precompressed: stack.truth(-1),
        index: stack.text_field(files, "index").unwrap_or_default(),
        cache_control: stack.text_field(files, "cache_control"),
    })
}

fn read_listeners(stack: &mut Stack, slot: Slot) -> Result<Vec<ListenAddr>, Raise> {
    if stack.raw_field(slot, "listen") != Kind::Table {
        return Err(Raise::text("unknown listen_conf type"));
    }
    let list = stack.top();
    let mut listeners = Vec::new();
    for place in 1..=stack.raw_len(list) {
        let _ = stack.raw_item(list, place);
        let addr = stack.text_field(-1, "addr").unwrap_or_default();
        let ip: IpAddr = addr
            .parse()
            .map_err(|_| Raise::text("Can't parse IP address"))?;
        let port = stack.number_field(-1, "port").unwrap_or(0.0) as u16;
        let item = stack.top();
        let tls = read_tls(stack);
        let http2 = stack.raw_field(item, "http2") != Kind::Boolean || stack.truth(-1);
        listeners.push(ListenAddr {
            addr: SocketAddr::new(ip, port),
            tls,
            http2,
        });
        stack.set_top(list);
    }
    stack.pop(1);
    Ok(listeners)
}

/// The certificates of the listener on top of the stack.
fn read_tls(stack: &mut Stack) -> Option<TlsPairs> {
    let item = stack.top();
    let _ = stack.raw_field(item, "uses_sni");
    let uses_sni = stack.truth(-1);
    let is_tls = stack.raw_field(item, "tls") == Kind::Table;
    let list = stack.top();
    let mut pairs = Vec::new();
    for place in 1..=if is_tls { stack.raw_len(list) } else { 0 } {
        let _ = stack.raw_item(list, place);
        let certificate = stack.text_field(-1, "certificate_file").unwrap_or_default();
        let key = stack
            .text_field(-1, "certificate_key_file")
            .unwrap_or_default();
        pairs.push((PathBuf::from(certificate), PathBuf::from(key)));
        stack.pop(1);
    }
    stack.set_top(item);
    is_tls.then_some(TlsPairs { pairs, uses_sni })
}
