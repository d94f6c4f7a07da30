#include "lowbit/config/config_file.h"

#include <gmock/gmock.h>

#include "helpers.h"

namespace lowbit::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

ConfigFile parse(const std::string& text, std::map<std::string, std::string> environment = {}) {
  return parse_config(text, "c", environment_of(std::move(environment)));
}

std::string value(const std::string& text, const std::string& name = "a",
                  std::map<std::string, std::string> environment = {}) {
  return parse(text, std::move(environment)).values.at(name).text;
}

std::string file_error(const std::string& text) {
  return usage_error_of([&] { parse(text); });
}

TEST(ConfigFile, ReadsBareAndQuotedValues) {
  EXPECT_EQ(value("a=1"), "1");
  EXPECT_EQ(value("a='x y'\n"), "x y");
  EXPECT_EQ(value("a=\"x y\"\n"), "x y");
  EXPECT_EQ(value("a=\n"), "");
  EXPECT_EQ(value("a=''\n"), "");
  EXPECT_EQ(value(" \t a=1 \t \n"), "1");
  EXPECT_EQ(value("a=x=y\n"), "x=y");
  EXPECT_EQ(value("a='1'\na=2"), "2");
}

TEST(ConfigFile, JoinsAdjacentPieces) {
  EXPECT_EQ(value("b=3\na='x '\"y \"$b'$b'\\ z"), "x y 3$b z");
  EXPECT_EQ(value("a=it\\'s"), "it's");
  EXPECT_EQ(value("a='it'\\''s'"), "it's");
}

TEST(ConfigFile, RefusesValuesThatGrowWithoutBound) {
  std::string text = "a=0123456789\n";
  for (int line = 0; line < 30; ++line) text += "a=\"$a$a\"\n";
  EXPECT_THAT(file_error(text), testing::ContainsRegex("c:1[0-9]: .*more than 1048576 characters"));
}

TEST(ConfigFile, RefusesBracesWithinOneAnotherWithoutEnd) {
  const auto nested = [](size_t depth) {
    std::string text = "a=";
    for (size_t i = 0; i < depth; ++i) text += "${b:-";
    return text + "x" + std::string(depth, '}');
  };
  EXPECT_EQ(value(nested(50)), "x");
  EXPECT_EQ(value(nested(50) + "\nc=1", "c"), "1");
  EXPECT_THAT(file_error(nested(100'000)), testing::HasSubstr("too deeply"));
}

TEST(ConfigFile, ReadsOneQuoteWithinTheOther) {
  EXPECT_EQ(value("a='say \"x\"'"), "say \"x\"");
  EXPECT_EQ(value("a=\"it's\""), "it's");
}

TEST(ConfigFile, KeepsBackslashesInDoubleQuotesUnlessTheyProtectSomething) {
  EXPECT_EQ(value(R"(a="\$x \" \\ \` \n")"), R"($x " \ ` \n)");
  EXPECT_EQ(value(R"(a='\$x \n')"), R"(\$x \n)");
  EXPECT_EQ(value(R"(a=\$x\\y)"), R"($x\y)");
}

TEST(ConfigFile, LetsQuotedValuesSpanLines) {
  EXPECT_EQ(value("a='x\ny'"), "x\ny");
  EXPECT_EQ(value("a=\"x\n y\""), "x\n y");
}

TEST(ConfigFile, JoinsLinesThatEndInABackslash) {
  EXPECT_EQ(value("a=\"x \\\ny\""), "x y");
  EXPECT_EQ(value("a=x\\\ny"), "xy");
  EXPECT_EQ(value("a='x\\\ny'"), "x\\\ny");
  EXPECT_EQ(value("a=1 \\\n b=2", "b"), "2");
}

TEST(ConfigFile, IgnoresCommentsOnlyWhereAWordMayBegin) {
  EXPECT_EQ(value("# a=2\n  # 'unclosed\na=1 # `x`\n"), "1");
  EXPECT_EQ(value("a=1#2"), "1#2");
  EXPECT_EQ(value("a='1 # 2'"), "1 # 2");
  EXPECT_EQ(value("a= # nothing"), "");
  EXPECT_EQ(value("#!/bin/bash\n\n\na=1;# x"), "1");
}

TEST(ConfigFile, ReadsSeveralAssignmentsOnALine) {
  const ConfigFile file = parse("a=1; b=2 ;c=3 d=4\n;export e=5 f='6 '\nexport a\n");
  std::vector<std::string> all;
  for (const auto& [name, each] : file.values) all.push_back(name + "=" + each.text);
  EXPECT_THAT(all, ElementsAre("a=1", "b=2", "c=3", "d=4", "e=5", "f=6 "));
}

TEST(ConfigFile, ReadsFilesOfOtherSystems) {
  EXPECT_EQ(value("\xEF\xBB\xBF"
                  "a=1\r\nb=2\r\n"),
            "1");
  EXPECT_EQ(value("a=1\r\nb=\"x \\\r\ny\"\r\n\r\n", "b"), "x y");
  EXPECT_EQ(value("a=1\r"), "1");
}

TEST(ConfigFile, ExpandsVariablesOfEarlierLines) {
  EXPECT_EQ(value("b=x\na=$b/y"), "x/y");
  EXPECT_EQ(value("b=x\na=${b}y"), "xy");
  EXPECT_EQ(value("b=x\na=\"$b y\""), "x y");
  EXPECT_EQ(value("b='x  y'\na=$b"), "x  y") << "an assignment does not split words";
  EXPECT_EQ(value("a=1\na=\"$a 2\"\na=\"$a 3\""), "1 2 3");
  EXPECT_EQ(value("a=1\na+=2\na+=' 3'"), "12 3");
}

TEST(ConfigFile, PrefersEarlierLinesToTheEnvironment) {
  EXPECT_EQ(value("a=$B", "a", {{"B", "of the environment"}}), "of the environment");
  EXPECT_EQ(value("B=mine\na=$B", "a", {{"B", "of the environment"}}), "mine");
  EXPECT_EQ(value("a=$B", "a", {{"B", "$C `x`"}}), "$C `x`") << "a value is not read again";
}

TEST(ConfigFile, KnowsFastdirAndOptionsWithoutAnAssignment) {
  EXPECT_EQ(value("a=$FASTDIR/data"), "/workspace/data");
  EXPECT_EQ(value("a=$FASTDIR/data", "a", {{"FASTDIR", "/fast"}}), "/fast/data");
  EXPECT_EQ(value("a=\"$options x\"", "a", {{"options", "stray"}}), " x");
}

TEST(ConfigFile, ExpandsDefaultsInBraces) {
  EXPECT_EQ(value("a=${b:-x}"), "x");
  EXPECT_EQ(value("a=${b-x}"), "x");
  EXPECT_EQ(value("b=\na=[${b:-x}][${b-x}]"), "[x][]");
  EXPECT_EQ(value("b=1\na=${b:-x}"), "1");
  EXPECT_EQ(value("a=\"${b:-x y}\""), "x y");
  EXPECT_EQ(value("c=7\na=${b:-$c/${d:-e}}"), "7/e");
  EXPECT_EQ(value("a=${b:=x}$b"), "xx");
  EXPECT_EQ(value("a=${FASTDIR:-/own}"), "/own");
}

TEST(ConfigFile, KeepsADollarSignThatNamesNothing) {
  EXPECT_EQ(value("a='1'$"), "1$");
  EXPECT_EQ(value("a=\"5$ each\""), "5$ each");
  EXPECT_EQ(value("a=$/x"), "$/x");
}

TEST(ConfigFile, ExpandsATildeAtTheStartAlone) {
  EXPECT_EQ(value("a=~/data", "a", {{"HOME", "/home/me"}}), "/home/me/data");
  EXPECT_EQ(value("a=~", "a", {{"HOME", "/home/me"}}), "/home/me");
  EXPECT_EQ(value("a='~/data'"), "~/data");
  EXPECT_EQ(value("a=x~"), "x~");
  EXPECT_EQ(file_error("a=~you/x"), "c:1: '~user' is not supported: write the path");
}

TEST(ConfigFile, RemembersTheLineOfEveryCharacter) {
  const ConfigFile file = parse("b=x\n\na=\"1\n$b\n2\"\nc=$a\nd=$E", {{"E", "e"}});
  EXPECT_EQ(file.values.at("a").text, "1\nx\n2");
  EXPECT_THAT(file.values.at("a").lines, ElementsAre(3, 3, 1, 4, 5));
  EXPECT_EQ(file.values.at("c").lines, file.values.at("a").lines);
  EXPECT_EQ(file.values.at("d").place(), "c:7");
}

TEST(ConfigFile, RefusesAnUnsetVariableWithTheNearestName) {
  EXPECT_EQ(file_error("\nroot=$NOWHERE/data"), "c:2: variable 'NOWHERE' is not set");
  EXPECT_EQ(file_error("folder=x\nroot=${foldr}"),
            "c:2: variable 'foldr' is not set; did you mean 'folder'?");
}

TEST(ConfigFile, RefusesWhatAShellWouldExecute) {
  EXPECT_EQ(file_error("a=1\npython main.py --x"),
            "c:2: 'python main.py --x' is not an assignment name=value");
  EXPECT_EQ(file_error("if [ -z \"$a\" ]; then"),
            "c:1: 'if [ -z \"$a\" ]; then' is not an assignment name=value");
  EXPECT_EQ(file_error("a=1 rm -rf /"), "c:1: 'a=1 rm -rf /' is not an assignment name=value");
  EXPECT_EQ(file_error("source other"), "c:1: 'source other' is not an assignment name=value");
  EXPECT_EQ(file_error("exports a=1"), "c:1: 'exports a=1' is not an assignment name=value");
  EXPECT_EQ(file_error("f() { x; }"), "c:1: 'f() { x; }' is not an assignment name=value");
  EXPECT_EQ(file_error("1a=2"), "c:1: '1a=2' is not an assignment name=value");
  EXPECT_EQ(file_error("'a'=2"), "c:1: ''a'=2' is not an assignment name=value");
  EXPECT_EQ(file_error("$a=2"), "c:1: '$a=2' is not an assignment name=value");
  EXPECT_EQ(file_error("a=1 && b=2"), "c:1: 'a=1 && b=2' is not an assignment name=value");
  for (const char* text :
       {"a=$(date)", "a=\"$(date)\"", "a=`date`", "a=\"`date`\"", "a=$((1+1))", "a=${b:-$(date)}"})
    EXPECT_EQ(file_error(text), "c:1: a command in $(..) or `..` is not executed: write its result")
        << text;
  EXPECT_EQ(file_error("a=1&"),
            "c:1: '&' outside quotes: quote the value, nothing is executed here");
  EXPECT_EQ(file_error("a=(1 2)"),
            "c:1: '(' outside quotes: quote the value, nothing is executed here");
  EXPECT_EQ(file_error("a=1>x"),
            "c:1: '>' outside quotes: quote the value, nothing is executed here");
}

TEST(ConfigFile, SaysThatABlankBeforeTheSignIsTheFault) {
  try {
    parse("model = resnet20");
    FAIL();
  } catch (const core::Error& error) {
    EXPECT_STREQ(error.what(), "c:1: 'model = resnet20' is not an assignment name=value");
    EXPECT_THAT(error.details(), testing::HasSubstr("A blank must not stand before the '='."));
  }
  try {
    parse("if [ $x = 1 ]; then lr=1; fi");
    FAIL();
  } catch (const core::Error& error) {
    EXPECT_THAT(error.details(), testing::Not(testing::HasSubstr("A blank")));
  }
}

TEST(ConfigFile, RefusesExpansionsThatItDoesNotKnow) {
  EXPECT_EQ(file_error("a=$1"), "c:1: '$1' has no meaning in a config file");
  EXPECT_EQ(file_error("a=\"$@\""), "c:1: '$@' has no meaning in a config file");
  EXPECT_EQ(file_error("b=1\na=${b%x}"), "c:2: '${b' is not ${name} or ${name:-default}");
  EXPECT_EQ(file_error("a=${b:?x}"), "c:1: '${b' is not ${name} or ${name:-default}");
  EXPECT_EQ(file_error("a=${}"), "c:1: '${' is not ${name} or ${name:-default}");
  EXPECT_EQ(file_error("a=$'x'"), "c:1: $'..' and $\"..\" are not supported: use plain quotes");
}

TEST(ConfigFile, NamesTheLineWhereAQuoteOrBraceBegins) {
  EXPECT_EQ(file_error("a=1\nb='x\n\n"), "c:2: the quote ' is never closed");
  EXPECT_EQ(file_error("b=\"x\n\n"), "c:1: the quote \" is never closed");
  EXPECT_EQ(file_error("b=${x:-y\n}"), "c:1: the brace of '${x' is never closed");
  EXPECT_EQ(file_error("b=\"\\"), "c:1: the quote \" is never closed");
}

TEST(ConfigFile, NeverFailsOtherwiseThanWithAUsageError) {
  const std::string whole =
      "\xEF\xBB\xBF#x\r\nexport a='1'\"2\\\"$b\"${c:-d${e}}\\\n~/x;f+=`g`\n$(h) i=~ j=$'k' \\";
  const Environment environment = environment_of({{"b", "B"}, {"e", "E"}, {"HOME", "/h"}});
  for (size_t begin = 0; begin < whole.size(); ++begin)
    for (size_t end = begin; end <= whole.size(); ++end)
      usage_error_of([&] { parse_config(whole.substr(begin, end - begin), "c", environment); });
}

TEST(ConfigFile, WarnsAboutAVariableThatIsNearlyAKnownName) {
  EXPECT_THAT(parse("\nkeywrod='cbas'").warnings,
              ElementsAre("c:2: variable 'keywrod' is never used; did you mean 'keyword'?"));
  EXPECT_THAT(parse("keywrod='cbas'\nkeyword=$keywrod").warnings, IsEmpty());
  EXPECT_THAT(parse("something=1").warnings, IsEmpty());
}

TEST(ConfigFile, NamesTheNearestFileForOneThatIsMissing) {
  const TemporaryConfig file("a=1");
  const std::string wrong = file.path().string() + "x";
  EXPECT_EQ(
      usage_error_of([&] { read_config(wrong, environment_of({})); }),
      "there is no config file '" + wrong + "'; did you mean '" + file.path().string() + "'?");
  EXPECT_EQ(usage_error_of([] { read_config("/nowhere/at/all", environment_of({})); }),
            "there is no config file '/nowhere/at/all'");
}

std::vector<std::string> arguments(const std::string& text) {
  std::vector<std::string> words;
  for (const Argument& word : arguments_of(parse(text)))
    words.push_back(word.text + " @" + word.place());
  return words;
}

TEST(Arguments, AreTheDefaultsOfConfigFilesForAnEmptyFile) {
  EXPECT_THAT(arguments(""),
              ElementsAre("--dataset @default", "imagenet @default", "--base @default",
                          "1 @default", "--epochs @default", "0 @default", "--batch_size @default",
                          "20 @default", "--val_batch_size @default", "20 @default",
                          "--case @default", "fake @default", "--keyword @default", ", @default"));
}

TEST(Arguments, CarryNamesInOrderThenTheWordsOfOptionsWithTheirLines) {
  EXPECT_THAT(arguments("options=\"$options --lr 1e-2\"\n"
                        "dataset=d\nroot=r; model=m\nbase=2\nepochs=3\ntrain_batch=4\nval_batch=5\n"
                        "case=c\nkeyword=k\npretrained=p\n"
                        "options=\"$options\n  -j2\"\n"),
              ElementsAre("--dataset @c:2", "d @c:2", "--root @c:3", "r @c:3", "--model @c:3",
                          "m @c:3", "--base @c:4", "2 @c:4", "--epochs @c:5", "3 @c:5",
                          "--batch_size @c:6", "4 @c:6", "--val_batch_size @c:7", "5 @c:7",
                          "--case @c:8", "c @c:8", "--keyword @c:9", "k @c:9", "--pretrained @c:10",
                          "p @c:10", "--lr @c:1", "1e-2 @c:1", "-j2 @c:12"));
}

TEST(Arguments, TakeAnEmptyValueForAMissingOne) {
  EXPECT_EQ(arguments("dataset=''\nroot=\nmodel=\"\"\n"), arguments(""));
}

TEST(ConfigFile, OfZeroBytesIsNoTextAndIsNotPrinted) {
  const TemporaryConfig checkpoint(std::string("PK\3\4\0\1\2data", 11));
  EXPECT_EQ(checkpoint.error(),
            checkpoint.path().string() +
                ": it is no config file: a text has no zero bytes, byte 4 is one");
  const TemporaryConfig utf16(
      std::string("\xFF\xFE"
                  "e\0=\0",
                  6));
  try {
    utf16.run();
    FAIL() << "no error";
  } catch (const core::Error& error) {
    EXPECT_EQ(error.details(), "it looks like UTF-16: save it as UTF-8");
  }
}

TEST(ConfigFile, WarnsOfAValueThatALaterLineReplaces) {
  const TemporaryConfig file(
      "dataset=fake\nkeyword=cbas\noptions='--lr 0.5'\noptions='--wd 0.1'\ncase=a\ncase=b\n");
  EXPECT_THAT(file.run().warnings,
              testing::ElementsAre(file.at(4) + ": 'options' replaces its value of line 3, which "
                                                "is lost: write options=\"$options ...\"",
                                   file.at(6) + ": 'case' replaces its value of line 5, which is "
                                                "lost"));
  const TemporaryConfig usual(
      "dataset=fake\nkeyword=cbas\noptions=''\noptions=\"$options --lr 0.5\"\n"
      "options+=' --wd 0.1'\noptions=\"$options --fp16\"\ncase=a\ncase=${case}b\n");
  EXPECT_THAT(usual.run().warnings, testing::IsEmpty());
}

TEST(ConfigFile, WarnsOfTypographicQuotes) {
  const TemporaryConfig file("dataset=fake\nkeyword=cbas\ncase=\u2018x\u2019\n");
  EXPECT_THAT(file.run().warnings,
              testing::ElementsAre(file.at(3) + ": the quotes around \u2018x\u2019 are typographic "
                                                "and part of the value; write ' or \""));
}

TEST(ConfigFile, ShowsTheBeginningOfALongLineAlone) {
  const TemporaryConfig file("? " + std::string(1000, 'x'));
  EXPECT_EQ(file.error(),
            file.at(1) + ": '? " + std::string(58, 'x') + "...' is not an assignment name=value");
}

}  // namespace
}  // namespace lowbit::config
