#include "node/config/config_option.h"

#include <cmath>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace muster {
namespace {

std::string NumberText(double number) {
  if (number == std::floor(number) && std::abs(number) < 1e15) {
    return absl::StrCat(static_cast<int64_t>(number));
  }
  return absl::StrCat(number);
}

std::string Quoted(absl::string_view text) {
  return absl::StrCat(
      "\"", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}}), "\"");
}

std::string Rule(const ConfigOption& option) {
  const std::string range = option.RangeText();
  std::string unit;
  if (!option.unit.empty()) unit = absl::StrCat(" (", option.unit, ")");
  switch (option.type) {
    case ConfigType::kBool:
      return "must be true or false";
    case ConfigType::kInteger:
      return absl::StrCat("must be an integer, ", range, unit);
    case ConfigType::kNumber:
      return absl::StrCat("must be a number, ", range, unit);
    case ConfigType::kText:
      return absl::StrCat("must be ", range);
    case ConfigType::kList:
      return absl::StrCat("must be a list, each ", range);
  }
  return "";
}

bool InRange(const ConfigOption& option, double number) {
  return number >= option.min && number <= option.max;
}

bool IsAllowed(const ConfigOption& option, const ConfigValue& value) {
  switch (option.type) {
    case ConfigType::kBool:
      return std::holds_alternative<bool>(value);
    case ConfigType::kInteger: {
      const auto* number = std::get_if<int64_t>(&value);
      return number != nullptr && InRange(option, static_cast<double>(*number));
    }
    case ConfigType::kNumber: {
      const auto* number = std::get_if<double>(&value);
      return number != nullptr && InRange(option, *number);
    }
    case ConfigType::kText: {
      const auto* text = std::get_if<std::string>(&value);
      return text != nullptr && option.allowed(*text);
    }
    case ConfigType::kList: {
      const auto* list = std::get_if<std::vector<std::string>>(&value);
      if (list == nullptr) return false;
      for (const std::string& text : *list) {
        if (!option.allowed(text)) return false;
      }
      return true;
    }
  }
  return false;
}

// ": the port is missing; write h:7400", or "".
std::string FaultOf(const ConfigOption& option, absl::string_view text) {
  if (option.fault == nullptr || option.allowed(text)) return "";
  const std::string fault = option.fault(text);
  return fault.empty() ? "" : absl::StrCat(": ", fault);
}

// The fault of the first text that breaks the rule; a list names that text.
std::string Fault(const ConfigOption& option, const ConfigValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    return FaultOf(option, *text);
  }
  const auto* list = std::get_if<std::vector<std::string>>(&value);
  if (list == nullptr) return "";
  for (const std::string& text : *list) {
    const std::string fault = FaultOf(option, text);
    if (!fault.empty()) return absl::StrCat(": ", Quoted(text), fault);
  }
  return "";
}

// The text of a flag as a value of the option's type; if the text is no such
// value, a value of another type.
ConfigValue Parse(const ConfigOption& option, absl::string_view text) {
  int64_t integer = 0;
  double number = 0;
  switch (option.type) {
    case ConfigType::kBool:
      if (text == "true" || text == "1") return true;
      if (text == "false" || text == "0") return false;
      break;
    case ConfigType::kInteger:
      if (absl::SimpleAtoi(text, &integer)) return integer;
      break;
    case ConfigType::kNumber:
      if (absl::SimpleAtod(text, &number)) return number;
      return false;
    case ConfigType::kText:
      return std::string(text);
    case ConfigType::kList:
      if (text.empty()) return std::vector<std::string>();
      return std::vector<std::string>(absl::StrSplit(text, ','));
  }
  return std::string(text);
}

}  // namespace

std::string ConfigOption::Key() const {
  return absl::StrReplaceAll(name, {{"-", "_"}});
}

std::string ConfigOption::TypeText() const {
  switch (type) {
    case ConfigType::kBool:
      return "switch";
    case ConfigType::kInteger:
      return "integer";
    case ConfigType::kNumber:
      return "number";
    case ConfigType::kText:
      return "text";
    case ConfigType::kList:
      return "list";
  }
  return "";
}

std::string ConfigOption::RangeText() const {
  switch (type) {
    case ConfigType::kBool:
      return "true, false";
    case ConfigType::kInteger:
    case ConfigType::kNumber:
      return absl::StrCat(NumberText(min), " to ", NumberText(max));
    case ConfigType::kText:
    case ConfigType::kList:
      return rule;
  }
  return "";
}

std::string ConfigOption::DefaultText() const {
  if (!default_text.empty()) return default_text;
  const ConfigValue value = get(Config());
  const std::string text = ValueText(value);
  return text == "\"\"" || text == "[]" ? "none" : text;
}

absl::Status PutValue(const ConfigOption& option, const ConfigValue& value,
                      Config* config) {
  // A whole number is a number, too.
  ConfigValue given = value;
  if (option.type == ConfigType::kNumber) {
    if (const auto* integer = std::get_if<int64_t>(&value)) {
      given = static_cast<double>(*integer);
    }
  }
  // One text is a list of one.
  if (option.type == ConfigType::kList) {
    if (const auto* text = std::get_if<std::string>(&value)) {
      given = std::vector<std::string>{*text};
    }
  }
  if (!IsAllowed(option, given)) {
    return absl::InvalidArgumentError(
        absl::StrCat(Rule(option), Fault(option, given)));
  }
  option.put(*config, given);
  return absl::OkStatus();
}

absl::Status PutText(const ConfigOption& option, absl::string_view text,
                     Config* config) {
  return PutValue(option, Parse(option, text), config);
}

std::string ValueText(const ConfigValue& value) {
  struct Visitor {
    std::string operator()(bool b) const { return b ? "true" : "false"; }
    std::string operator()(int64_t i) const { return absl::StrCat(i); }
    std::string operator()(double d) const { return NumberText(d); }
    std::string operator()(const std::string& s) const { return Quoted(s); }
    std::string operator()(const std::vector<std::string>& list) const {
      return absl::StrCat(
          "[",
          absl::StrJoin(list, ", ",
                        [](std::string* out, const std::string& s) {
                          out->append(Quoted(s));
                        }),
          "]");
    }
  };
  return std::visit(Visitor(), value);
}

}  // namespace muster
