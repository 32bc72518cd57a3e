# What cargo test said, as JUnit XML: awk -v title=SUITE -v exit_code=N -f junit.awk LOG
#
# The log is that of `cargo test -- --test-threads=1 --show-output`, both streams in one file. Every line
# `test NAME ... ok|FAILED|ignored` becomes a testcase. The counts are compared with libtest's own `test result:` lines and
# with cargo's exit code, so that a line lost on the way fails here and never becomes a test that was not there.

function xml(text) {
    gsub(/&/, "\\&amp;", text); gsub(/</, "\\&lt;", text); gsub(/>/, "\\&gt;", text); gsub(/"/, "\\&quot;", text)
    gsub(/[\001-\010\013\014\016-\037]/, "?", text)
    return text
}
/^ +Running / { suite = $0; sub(/^ +Running (unittests )?/, "", suite); sub(/ \(.*/, "", suite) }
/^test .* \.\.\. (ok|FAILED|ignored)/ {
    name = $2; state = $0; sub(/^test .* \.\.\. /, "", state); sub(/[, ].*/, "", state)
    seen[state]++; cases++
    suites[cases] = suite; names[cases] = name; states[cases] = state
    index_of[suite "/" name] = cases
    next
}
/^---- .* stdout ----$/ { inside = index_of[suite "/" $2]; next }
/^(successes|failures):$/ || /^test result: / { inside = 0 }
inside { output[inside] = output[inside] xml($0) "\n" }
/^test result: / {
    for (i = 1; i < NF; i++) {
        if ($(i + 1) == "passed;") told["ok"] += $i
        if ($(i + 1) == "failed;") told["FAILED"] += $i
        if ($(i + 1) == "ignored;") told["ignored"] += $i
    }
}
END {
    split("ok FAILED ignored", all)
    for (i in all) if (told[all[i]] + 0 != seen[all[i]] + 0) {
        printf "junit: libtest counts %d %s, its lines %d\n", told[all[i]], all[i], seen[all[i]] > "/dev/stderr"
        exit 3
    }
    if (cases == 0) { print "junit: no test ran" > "/dev/stderr"; exit 3 }
    if (exit_code == 0 && seen["FAILED"] > 0 || exit_code != 0 && seen["FAILED"] + 0 == 0) {
        print "junit: the exit code of cargo test contradicts its lines" > "/dev/stderr"; exit 3
    }
    print "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
    printf "<testsuites name=\"%s\" tests=\"%d\" failures=\"%d\" skipped=\"%d\">\n", title, cases, seen["FAILED"], seen["ignored"]
    printf "  <testsuite name=\"%s\" tests=\"%d\" failures=\"%d\" errors=\"0\" skipped=\"%d\">\n", title, cases, seen["FAILED"], seen["ignored"]
    for (i = 1; i <= cases; i++) {
        printf "    <testcase classname=\"%s\" name=\"%s\">", xml(suites[i]), xml(names[i])
        if (states[i] == "FAILED") printf "<failure message=\"failed\">%s</failure>", output[i]
        if (states[i] == "ignored") printf "<skipped/>"
        if (states[i] != "FAILED" && output[i] != "") printf "<system-out>%s</system-out>", output[i]
        print "</testcase>"
    }
    print "  </testsuite>\n</testsuites>"
}
