using System.ClientModel;
using System.ClientModel.Primitives;
using System.Reflection;
using OpenAI;
using OpenAI.Assistants;

namespace Threadkeep.Interop;

/// <summary>What only the library `OpenAI` 2.1 does this way.</summary>
public static partial class Clients
{
    public static AssemblyName Library => typeof(AssistantClient).Assembly.GetName();

    public const string WrongKeyText = "Incorrect API key provided";

    /// <summary>Without retries: an error is seen at once.</summary>
    public static AssistantClient Connect(Uri origin, string key)
    {
        var endpoint = new Uri(origin, "/v1");
        var options = new OpenAIClientOptions { Endpoint = endpoint, RetryPolicy = new ClientRetryPolicy(0) };
        return new AssistantClient(new ApiKeyCredential(key), options);
    }
}
