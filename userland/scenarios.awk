# scenarios.json from the first comment of each scenario: lines " * key: value" up to the first empty one.
BEGIN {
	print "{"
	printf "  \"scenarios\": ["
}

FNR == 1 {
	if (NR > 1)
		finish()
	split("", value)
	inside = 1
}

inside && /^ \* [a-z]+: / {
	key = $2
	sub(/:$/, "", key)
	sub(/^ \* [a-z]+: */, "")
	value[key] = $0
	next
}

inside && !/^\/\*$/ { inside = 0 }

END {
	finish()
	print "\n  ]"
	print "}"
}

function finish()
{
	printf "%s\n    {\n", (count++ ? "," : "")
	text("name", value["scenario"], ",")
	text("description", value["about"], ",")
	words_of("races", value["races"])
	words_of("litmus", value["litmus"])
	number("cores", value["cores"])
	number("tasks", value["tasks"])
	text("profile", value["machine"] == "" ? "small" : value["machine"], ",")
	words_of("invariants", value["check"])
	printf "      \"seeded\": %s\n    }", value["seeded"] == "yes" ? "true" : "false"
}

function text(key, string, end)
{
	printf "      \"%s\": \"%s\"%s\n", key, string, end
}

function number(key, digits)
{
	printf "      \"%s\": %d,\n", key, digits
}

function words_of(key, words,    items, n, i)
{
	n = split(words, items, " ")
	printf "      \"%s\": [", key
	for (i = 1; i <= n; i++)
		printf "%s\"%s\"", (i > 1 ? ", " : ""), items[i]
	print "],"
}
