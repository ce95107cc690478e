using System.ClientModel;
using OpenAI.Assistants;

namespace Threadkeep.Interop;

/// <summary>Assistants: created, read, changed, deleted.</summary>
public static class AssistantChecks
{
    public static void AddTo(Checks checks, App app)
    {
        checks.Add("assistants: created with every option, and read back as created", () => CreateAsync(app));
        checks.Add("assistants: a model's name is enough", () => CreatePlainAsync(app));
        checks.Add("assistants: a change changes what it names, and nothing else", () => ModifyAsync(app));
        checks.Add("assistants: a deleted one is gone", () => DeleteAsync(app));
        checks.Add("assistants: the four response formats", () => FormatsAsync(app));
    }

    private static async Task CreateAsync(App app)
    {
        var client = app.NewClient();
        Assistant created = await client.CreateAssistantAsync(
            "gpt-4o",
            new AssistantCreationOptions
            {
                Name = "Zoë",
                Description = "Answers.",
                Instructions = "Be brief.",
                Temperature = 0.5f,
                NucleusSamplingFactor = 0.9f,
                Tools =
                {
                    Conversation.Weather,
                    ToolDefinition.CreateFileSearch(7),
                    ToolDefinition.CreateCodeInterpreter(),
                },
                Metadata = { ["team"] = "blue", ["level"] = "2" },
            }
        );
        Assistant read = await client.GetAssistantAsync(created.Id);
        foreach (var assistant in new[] { created, read })
        {
            Checks.Equal(created.Id, assistant.Id, "id");
            Checks.Equal(("gpt-4o", "Zoë"), (assistant.Model, assistant.Name), "model and name");
            Checks.Equal(("Answers.", "Be brief."), (assistant.Description, assistant.Instructions), "texts");
            Checks.Equal((0.5f, 0.9f), (assistant.Temperature, assistant.NucleusSamplingFactor), "sampling");
            Checks.Same(["level=2", "team=blue"], assistant.Metadata.Select(Pair).Order(), "metadata");
            Checks.Equal(3, assistant.Tools.Count, "tools");
            var function = assistant.Tools.OfType<FunctionToolDefinition>().Single();
            Checks.Equal("weather", function.FunctionName, "function");
            Checks.Equal(Conversation.Weather.Description, function.Description, "description of the function");
            Checks.That(function.Parameters.ToString().Contains("\"place\""), "the parameters are lost");
            var search = assistant.Tools.OfType<FileSearchToolDefinition>().Single();
            Checks.Equal(7, search.MaxResults, "results of file search");
            var age = DateTimeOffset.UtcNow - assistant.CreatedAt;
            Checks.That(age < TimeSpan.FromMinutes(2), $"created {age} ago");
        }
    }

    private static async Task CreatePlainAsync(App app)
    {
        Assistant assistant = await app.NewClient().CreateAssistantAsync("gpt-4o");
        Checks.Equal((null, null, null), (assistant.Name, assistant.Description, assistant.Instructions), "texts");
        Checks.Equal((1f, 1f), (assistant.Temperature, assistant.NucleusSamplingFactor), "sampling");
        Checks.Equal((0, 0), (assistant.Tools.Count, assistant.Metadata.Count), "tools and metadata");
    }

    private static async Task ModifyAsync(App app)
    {
        var client = app.NewClient();
        Assistant created = await client.CreateAssistantAsync(
            "gpt-4o",
            new AssistantCreationOptions { Name = "old", Instructions = "stay", Metadata = { ["a"] = "1" } }
        );
        Assistant changed = await client.ModifyAssistantAsync(
            created.Id,
            new AssistantModificationOptions
            {
                Model = "gpt-4.1",
                Name = "new",
                DefaultTools = { Conversation.Weather },
                Metadata = { ["b"] = "2" },
            }
        );
        Assistant read = await client.GetAssistantAsync(created.Id);
        foreach (var assistant in new[] { changed, read })
        {
            string[] fields = [assistant.Model, assistant.Name, assistant.Instructions];
            Checks.Same(["gpt-4.1", "new", "stay"], fields, "fields");
            Checks.Same(["b=2"], assistant.Metadata.Select(Pair), "metadata");
            Checks.Equal(1, assistant.Tools.Count, "tools");
        }
    }

    private static async Task DeleteAsync(App app)
    {
        var client = app.NewClient();
        Assistant assistant = await client.CreateAssistantAsync("gpt-4o");
        AssistantDeletionResult deleted = await client.DeleteAssistantAsync(assistant.Id);
        Checks.Equal((assistant.Id, true), (deleted.AssistantId, deleted.Deleted), "deletion");
        var error = await Checks.ThrowsAsync<ClientResultException>(() => client.GetAssistantAsync(assistant.Id));
        Checks.Equal(404, error.Status, "status");
        Checks.Equal(0, await client.GetAssistantsAsync().CountAsync(), "assistants");
    }

    private static async Task FormatsAsync(App app)
    {
        var client = app.NewClient();
        var schema = BinaryData.FromString("""{"type":"object","properties":{},"additionalProperties":false}""");
        AssistantResponseFormat[] formats =
        [
            AssistantResponseFormat.Auto,
            AssistantResponseFormat.Text,
            AssistantResponseFormat.JsonObject,
            AssistantResponseFormat.CreateJsonSchemaFormat("empty", schema, "Nothing.", true),
        ];
        foreach (var format in formats)
        {
            var options = new AssistantCreationOptions { ResponseFormat = format };
            Assistant assistant = await client.CreateAssistantAsync("gpt-4o", options);
            Checks.Equal(format, assistant.ResponseFormat, "response format");
        }
    }

    public static string Pair(KeyValuePair<string, string> pair) => $"{pair.Key}={pair.Value}";
}
