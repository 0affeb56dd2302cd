//! The watch: finds calls that hang, puts fresh threads in their places, and ages the software keys.
//!
//! A thread hangs when it is busy with the same request for as long as the deadline. Its caller has an answer by then.
//! The thread itself cannot be ended; when its call returns after all, it ends by itself.

use super::core::Core;
use super::owner::Owner;
use super::stats::count;
use super::threads::Seat;
use super::worker::Worker;
use crossbeam_channel::{Receiver, select};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

/// A software key lives for this many sweeps at most.
const SWEEPS: u32 = 4;
/// How often a cache that had to shrink grows by a step.
const GROWTH_PERIOD: Duration = Duration::from_secs(60);
/// How often the end of the threads is looked for.
const EXIT_POLL: Duration = Duration::from_millis(2);

/// What a thread does.
#[derive(Clone, Copy)]
enum Post {
    Worker(usize),
    Owner(usize),
}

struct Running {
    seat: Arc<Seat>,
    thread: JoinHandle<()>,
    request: Option<u64>,
    /// For how many ticks the same request has been under way.
    ticks: u32,
}

/// The watch of one token.
pub struct Watch {
    core: Arc<Core>,
    posts: Vec<(Post, Option<Running>)>,
    hung: Vec<JoinHandle<()>>,
    tick: Duration,
}

impl Watch {
    /// Starts all threads of a token.
    ///
    /// # Errors
    /// If the system gives no threads.
    pub fn start(core: Arc<Core>, workers: usize) -> std::io::Result<Self> {
        let tick = (core.config.deadline / 8).clamp(Duration::from_millis(5), Duration::from_millis(250));
        let owners = core.owners.len();
        let all = (0..workers).map(Post::Worker).chain((0..owners).map(Post::Owner));
        let mut posts = Vec::with_capacity(workers + owners);
        for post in all {
            posts.push((post, Some(Running::start(&core, post)?)));
        }
        Ok(Self { core, posts, hung: Vec::new(), tick })
    }

    /// Watches until `stop` is disconnected, and then waits for the threads, which are told to end too.
    pub fn run(mut self, stop: &Receiver<()>) {
        let ticker = crossbeam_channel::tick(self.tick);
        let per_sweep = ticks(self.core.config.software_cache_ttl / SWEEPS, self.tick).max(1);
        let per_growth = ticks(GROWTH_PERIOD, self.tick);
        let (mut since_sweep, mut since_growth) = (0, 0);
        loop {
            select! {
                recv(ticker) -> _ => self.look(),
                recv(stop) -> _ => return self.finish(),
            }
            since_sweep += 1;
            if since_sweep >= per_sweep {
                since_sweep = 0;
                self.core.software.sweep(u64::from(SWEEPS));
                self.core.convergent.sweep(u64::from(SWEEPS));
            }
            since_growth += 1;
            if since_growth >= per_growth {
                since_growth = 0;
                self.core.handles.grow();
            }
        }
    }

    /// Joins the threads that end within the deadline. The others hang, and stay behind.
    fn finish(self) {
        let running = self.posts.into_iter().filter_map(|(_, running)| running).map(|running| running.thread);
        let mut threads: Vec<_> = running.chain(self.hung).collect();
        for _ in 0..ticks(self.core.config.deadline, EXIT_POLL) {
            threads = bury_ended(&self.core, threads);
            if threads.is_empty() {
                return;
            }
            std::thread::sleep(EXIT_POLL);
        }
    }

    fn look(&mut self) {
        let patience = ticks(self.core.config.deadline, self.tick) + 1;
        self.hung = bury_ended(&self.core, std::mem::take(&mut self.hung));
        for (_, running) in &mut self.posts {
            if running.as_mut().is_some_and(|running| running.hangs(patience)) {
                self.core.counters.hung_calls.fetch_add(1, Ordering::Relaxed);
                self.hung.extend(running.take().map(Running::give_away));
            }
        }
        let stuck = self.hung.len() > self.core.config.max_hung_calls;
        self.core.counters.hung_now.store(self.hung.len() as u64, Ordering::Relaxed);
        self.core.gate.set_stuck(stuck);
        if !stuck {
            self.fill();
        }
    }

    /// Puts a thread wherever there is none: its call hangs, or it died of a panic.
    fn fill(&mut self) {
        for (post, running) in &mut self.posts {
            if let Some(dead) = running.take_if(|running| running.thread.is_finished()) {
                bury(&self.core, dead.thread);
            }
            if running.is_none() {
                match Running::start(&self.core, *post) {
                    Ok(fresh) => *running = Some(fresh),
                    Err(error) => tracing::error!(%error, "no thread could be started for the token"),
                }
            }
        }
    }
}

impl Running {
    fn start(core: &Arc<Core>, post: Post) -> std::io::Result<Self> {
        let seat = Arc::new(Seat::default());
        let (core, place) = (Arc::clone(core), Arc::clone(&seat));
        let name = match post {
            Post::Worker(index) => format!("token-data-{index}"),
            Post::Owner(index) => format!("token-owner-{index}"),
        };
        let thread = std::thread::Builder::new().name(name).spawn(move || match post {
            Post::Worker(_) => Worker::run(core, &place),
            Post::Owner(index) => Owner::run(core, index, &place),
        })?;
        Ok(Self { seat, thread, request: None, ticks: 0 })
    }

    fn hangs(&mut self, patience: u32) -> bool {
        let request = self.seat.request();
        self.ticks = if request.is_some() && request == self.request { self.ticks + 1 } else { 0 };
        self.request = request;
        self.ticks >= patience
    }

    fn give_away(self) -> JoinHandle<()> {
        self.seat.give_away();
        self.thread
    }
}

/// Joins the threads that have ended, and returns the others.
fn bury_ended(core: &Core, threads: Vec<JoinHandle<()>>) -> Vec<JoinHandle<()>> {
    let (ended, left): (Vec<_>, Vec<_>) = threads.into_iter().partition(JoinHandle::is_finished);
    ended.into_iter().for_each(|thread| bury(core, thread));
    left
}

/// Joins a thread that has ended. What it asked of the library's memory is given back then, too.
fn bury(core: &Core, thread: JoinHandle<()>) {
    if thread.join().is_err() {
        count(&core.counters.crashed_threads);
        tracing::error!("a thread of the token ended in a panic");
    }
}

fn ticks(period: Duration, tick: Duration) -> u32 {
    u32::try_from(period.as_millis().div_ceil(tick.as_millis().max(1))).unwrap_or(u32::MAX)
}
