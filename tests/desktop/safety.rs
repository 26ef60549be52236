//! What people do about safety: pauses, questions, limits, and a look at what protects them.

use libtest_mimic::{Failed, Trial};
use rustix::process::Signal;

use crate::{
    process::{sandbox_children, signal, state, wait_until},
    scenes::{
        Desktop, FIRST_RECEIPT, Outcome, WORK, check, wait_for_end, wait_for_freeze, wait_for_work,
    },
    webdriver::{ENTER, ESCAPE, PAGE, RIGHT, Window},
};

/// A campaign that the volunteer is asked about.
const MEDIUM: [(&str, &str); 1] = [("OMNISWARM_CAMPAIGN_RISK", "medium")];

pub fn all() -> Vec<Trial> {
    vec![
        Trial::test("a_pause_for_an_hour_survives_a_restart", pause_for_an_hour),
        Trial::test(
            "without_a_yes_a_campaign_of_medium_risk_runs_nothing",
            asked_no,
        ),
        Trial::test(
            "a_yes_for_a_day_lets_work_run_until_it_is_taken_back",
            asked_yes,
        ),
        Trial::test(
            "a_question_brings_the_closed_window_back",
            question_from_tray,
        ),
        Trial::test("limits_hold_work_and_survive_a_restart", limits),
        Trial::test("the_safety_page_tells_walls_rules_and_decisions", safety),
    ]
}

/// Opens the window and agrees.
fn agreed(desktop: &Desktop, more: &[(&str, &str)]) -> Result<Window, Failed> {
    let window = desktop.window_with("en_US.UTF-8", more)?;
    window.wait_for_phase("consent-needed")?;
    window.click("agree")?;
    window.wait_for_phase("running")?;
    Ok(window)
}

/// Ends the program in good order.
fn quit(window: Window) -> Outcome {
    signal(window.app(), Signal::TERM)?;
    wait_for_end(window.app())?;
    drop(window);
    Ok(())
}

fn nothing_runs(app: u32) -> Outcome {
    let children = sandbox_children(app);
    check!(
        children.is_empty(),
        "there are sandbox children: {children:?}"
    );
    Ok(())
}

/// What there is of sandbox children stands still.
fn wait_for_stillness(app: u32) -> Outcome {
    wait_until("no sandbox child runs", WORK, || {
        let children = sandbox_children(app);
        Ok(children.iter().all(|child| state(*child) == Some('T')))
    })
}

fn pause_for_an_hour() -> Outcome {
    let desktop = Desktop::start()?;
    let window = agreed(&desktop, &[])?;
    wait_for_work(window.app())?;
    window.click("pause")?;
    wait_until("the menu has the focus", PAGE, || {
        Ok(window.focused()? == "pause-hour")
    })?;
    desktop.picture(&window, "20-pause-menu")?;
    window.click("pause-hour")?;
    window.wait_for_phase("paused")?;
    wait_for_freeze(window.app())?;
    let said = window.text("phase")?;
    let clock = "const at = (minutes) => new Intl.DateTimeFormat(document.documentElement.lang, \
        { timeStyle: 'short' }).format(new Date(Date.now() + minutes * 60000)); \
        return [at(58), at(59), at(60)]";
    let times = window.script(clock)?;
    let mut times = times.as_array().into_iter().flatten();
    check!(
        times.any(|time| said.contains(time.as_str().unwrap_or("nothing"))),
        "the state says {said:?}"
    );
    desktop.picture(&window, "21-paused-for-an-hour")?;
    quit(window)?;

    let window = desktop.window("en_US.UTF-8")?;
    window.wait_for_phase("paused")?;
    let again = window.text("phase")?;
    check!(
        again == said,
        "after the restart it says {again:?}, before it said {said:?}"
    );
    check!(
        window.text("paused-banner")?.contains("goes on by itself"),
        "the banner does not say how it goes on"
    );
    wait_for_stillness(window.app())?;
    window.click("resume")?;
    window.wait_for_phase("running")?;
    wait_for_work(window.app())?;
    quit(window)
}

fn asked_no() -> Outcome {
    let desktop = Desktop::start()?;
    let window = agreed(&desktop, &MEDIUM)?;
    let app = window.app();
    let said = window.text("question")?;
    for part in [
        "research campaign",
        "Why you are asked",
        "What can go wrong",
        "counts as",
    ] {
        check!(said.contains(part), "the question lacks {part:?}: {said}");
    }
    check!(
        window.focused()? == "question-no",
        "the focus is on {:?}",
        window.focused()?
    );
    nothing_runs(app)?;
    desktop.picture(&window, "22-question")?;

    window.focus("question-yes")?;
    window.press(ENTER)?;
    wait_until("Enter is explained", PAGE, || {
        Ok(window.text("question-said")?.contains("never says yes"))
    })?;
    check!(
        window.count("question")? == 1,
        "Enter answered the question"
    );
    nothing_runs(app)?;
    window.press(ESCAPE)?;
    wait_until("the question waits in a banner", PAGE, || {
        Ok(window.count("question")? == 0 && window.count("questions-banner")? == 1)
    })?;
    desktop.picture(&window, "23-question-put-off")?;
    nothing_runs(app)?;
    window.click("questions-open")?;
    window.click("question-no")?;
    wait_until("the question is answered", PAGE, || {
        Ok(window.count("question")? == 0 && window.count("questions-banner")? == 0)
    })?;
    window.click("page-safety")?;
    wait_until("the no is counted", PAGE, || {
        Ok(window.text("counter-refused")? == "1")
    })?;
    check!(window.count("grant")? == 0, "a no became a permission");
    nothing_runs(app)?;
    quit(window)?;

    let window = desktop.window_with("en_US.UTF-8", &MEDIUM)?;
    let app = window.app();
    window.wait_for_phase("running")?;
    wait_until("the reason is told", WORK, || {
        Ok(window.count("idle-reason")? == 1
            && window
                .text("idle-reason")?
                .starts_with("Nothing runs, because this work needs"))
    })?;
    check!(window.count("question")? == 0, "it asks again");
    check!(window.count("receipt-row")? == 0, "there is a receipt");
    nothing_runs(app)?;
    desktop.picture(&window, "24-nothing-runs-after-no")?;
    quit(window)
}

fn asked_yes() -> Outcome {
    let desktop = Desktop::start()?;
    let window = agreed(&desktop, &MEDIUM)?;
    let app = window.app();
    let yes = window.text("question-yes")?;
    check!(yes == "Yes, for a day", "the shortest yes is {yes:?}");
    nothing_runs(app)?;
    desktop.picture(&window, "25-question")?;
    window.click("question-yes")?;
    wait_until("the question is answered", PAGE, || {
        Ok(window.count("question")? == 0)
    })?;
    wait_until("the first receipt", FIRST_RECEIPT, || {
        Ok(window.count("receipt-row")? > 0)
    })?;
    window.click("page-safety")?;
    let grant = window.text("grant")?;
    check!(
        grant.contains("holds until"),
        "the permission says {grant:?}"
    );
    desktop.picture(&window, "26-permission")?;
    window.click("take-back")?;
    wait_until("the permission is gone", PAGE, || {
        Ok(window.count("grants-none")? == 1)
    })?;
    wait_until("no sandbox child is left", WORK, || {
        Ok(sandbox_children(app).is_empty())
    })?;
    window.click("page-overview")?;
    desktop.picture(&window, "27-taken-back")?;
    nothing_runs(app)?;
    quit(window)
}

fn question_from_tray() -> Outcome {
    let desktop = Desktop::start()?;
    let (_, bus) = desktop.bus.as_ref().ok_or("no bus")?;
    let tray = bus.start_tray()?;
    // Agreed and stopped: nothing is asked before the stop is lifted.
    let window = agreed(&desktop, &[])?;
    window.click("stop")?;
    window.wait_for_phase("stopped")?;
    quit(window)?;

    let more = [
        ("OMNISWARM_CAMPAIGN_RISK", "medium"),
        ("OMNISWARM_CAMPAIGN_LENGTH", "27"),
    ];
    let mut program = desktop.program(&more)?;
    desktop.wait_for_window(true)?;
    tray.wait_for("Stopped")?;
    desktop.display.close_window()?;
    desktop.wait_for_window(false)?;
    tray.choose("Allow work again")?;
    tray.wait_for("Has a question for you")?;
    desktop.wait_for_window(true)?;
    desktop.picture_of_screen("28-question-from-the-tray")?;
    tray.choose("Quit")?;
    let status = program.ended("the program ends", WORK)?;
    check!(status.success(), "the program ended with {status}");
    Ok(())
}

fn limits() -> Outcome {
    let desktop = Desktop::start()?;
    let window = agreed(&desktop, &[])?;
    wait_for_work(window.app())?;
    window.click("page-limits")?;
    window.fill("limit-cores", "0")?;
    window.click("limits-save")?;
    let error = window.text("limit-cores-error")?;
    check!(error.contains("from 1 to 64"), "the field says {error:?}");
    check!(
        window.focused()? == "limit-cores",
        "the focus is not where it is wrong"
    );
    desktop.picture(&window, "30-limits-refused")?;

    window.fill("limit-cores", "2")?;
    window.fill("limit-memory", "1.5")?;
    window.focus("limit-cpu")?;
    window.press(RIGHT)?;
    window.click("hours-chosen")?;
    window.choose("day-0-preset", "never")?;
    window.click("day-0-copy")?;
    let warning = window.text("hours-never")?;
    check!(
        warning.contains("no work ever runs"),
        "never is not warned about: {warning:?}"
    );
    window.click("limits-save")?;
    wait_until("the limits are saved", PAGE, || {
        Ok(window.text("limits-said")? == "Saved.")
    })?;
    desktop.picture(&window, "31-limits")?;
    window.wait_for_phase("held")?;
    wait_for_stillness(window.app())?;
    window.click("page-overview")?;
    let held = window.text("held-banner")?;
    check!(held.contains("hours you chose"), "the banner says {held:?}");
    desktop.picture(&window, "32-held")?;
    quit(window)?;

    let window = desktop.window("en_US.UTF-8")?;
    window.wait_for_phase("held")?;
    wait_for_stillness(window.app())?;
    window.click("page-limits")?;
    let found = [
        window.value("limit-cores")?,
        window.value("limit-memory")?,
        window.text("limit-cpu-number")?,
        window.value("day-6-preset")?,
    ];
    check!(
        found == ["2", "1.5", "55 %", "never"],
        "after the restart the limits are {found:?}"
    );
    window.click("hours-always")?;
    window.click("limits-save")?;
    window.wait_for_phase("running")?;
    wait_for_work(window.app())?;
    quit(window)
}

fn safety() -> Outcome {
    let desktop = Desktop::start()?;
    let window = agreed(&desktop, &[])?;
    wait_for_work(window.app())?;
    window.click("page-safety")?;
    wait_until("the walls are shown", WORK, || {
        Ok(window.count("wall")? >= 8)
    })?;
    let script = "return [...document.querySelectorAll('[data-testid=wall]')]\
        .filter((wall) => wall.dataset.up !== 'true').map((wall) => wall.textContent)";
    let down = window.script(script)?;
    println!("  walls: {}, not up: {down}", window.text("walls-summary")?);
    check!(
        window.count("rule")? >= 15,
        "{} rules are shown",
        window.count("rule")?
    );
    wait_until("decisions are shown", WORK, || {
        Ok(window.count("decision")? > 0 && window.text("counter-permitted")? != "0")
    })?;
    desktop.picture(&window, "33-safety")?;
    window.script("window.scrollTo(0, document.body.scrollHeight)")?;
    desktop.picture(&window, "34-safety-decisions")?;
    quit(window)
}
